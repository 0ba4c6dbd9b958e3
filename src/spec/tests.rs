//! The room as a whole: the worked example loads, and broken files get every one of their mistakes at its place.
use std::path::Path;

use super::*;

const WORKED: &str = include_str!("../../tests/fixtures/0001-email-lookup.toml");

fn worked(layers: &Layers) -> Result<Spec, Problems> {
    load_text(Path::new("exp/0001-email-lookup.toml"), WORKED.to_owned(), layers)
}

#[test]
fn the_worked_example_loads() {
    for profile in [None, Some("smoke"), Some("ci")] {
        let layers = Layers { profile: profile.map(str::to_owned), ..Layers::default() };
        match worked(&layers) {
            Ok(s) => println!("{}", s.merged_toml),
            Err(p) => panic!("{}", render(&p, Color::Plain)),
        }
    }
}
