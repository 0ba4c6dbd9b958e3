//! `querylab man [VERB]`: pages of the manual, made of the flags themselves.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;
use super::args_of_itself::ManArgs;
use super::exit::Exit;
use super::out;

pub(super) fn man(args: &ManArgs) -> Result<Exit, Exit> {
    if let Some(dir) = &args.out {
        return all_into(dir);
    }
    let command = find(&args.verb)?;
    let mut page = Vec::new();
    // A Vec takes all.
    Man::new(command).render(&mut page).map_err(|e| out::fail(Exit::Environment, e))?;
    out::bytes(&page)?;
    Ok(Exit::Done)
}

fn all_into(dir: &Path) -> Result<Exit, Exit> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|e| {
            out::fail(Exit::Environment, format!("cannot write into {}: {e}", dir.display()))
        })?;
    out::tell(&format!("{}\n", dir.display()))?;
    Ok(Exit::Done)
}

/// The command of a verb; its display name is that of its page.
fn find(verb: &[String]) -> Result<Command, Exit> {
    let mut command = Cli::command();
    command.build();
    for word in verb {
        let Some(found) = command.find_subcommand(word) else {
            return Err(out::fail(Exit::Input, format!("there is no verb `{}`", verb.join(" "))));
        };
        command = found.clone();
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(verb: &[&str]) -> String {
        let verb: Vec<String> = verb.iter().map(|word| (*word).to_owned()).collect();
        let mut page = Vec::new();
        let command = find(&verb).expect("a verb");
        Man::new(command).render(&mut page).expect("a Vec takes all");
        String::from_utf8(page).expect("text")
    }

    #[test]
    fn every_verb_has_a_page_that_names_its_flags() {
        let whole = page(&[]);
        let verbs: Vec<String> =
            Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
        assert!(verbs.len() > 20);
        for verb in &verbs {
            let name = verb.replace('-', "\\-");
            assert!(whole.contains(&format!("querylab\\-{name}")), "{verb}: {whole}");
            assert!(page(&[verb]).contains(".SH SYNOPSIS"), "{verb}");
        }
        assert!(page(&["run"]).contains("partition"));
        assert!(page(&["cache", "prune"]).contains("limit"));
    }

    #[test]
    fn all_pages_are_files_and_a_verb_that_is_not_there_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let into = dir.path().join("man1");
        assert!(matches!(all_into(&into), Ok(Exit::Done)));
        for file in ["querylab.1", "querylab-run.1", "querylab-cache-prune.1"] {
            assert!(into.join(file).is_file(), "{file}");
        }
        assert!(matches!(find(&["walk".into()]), Err(Exit::Input)));
    }
}
