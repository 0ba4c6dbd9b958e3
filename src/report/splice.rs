//! Chosen tables between markers of somebody's own document: `<!-- querylab:0001 claims -->` … `<!-- /querylab:0001 -->`.
//!
//! What stands between the markers is replaced, what stands outside of them is not touched. Markers in a block of code
//! are text like any other.

use std::fmt;

use anyhow::bail;

/// What a marker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The experiment, in full or its number.
    pub experiment: String,
    /// The size; the whole one where none is named.
    pub profile: Option<String>,
    /// What to show: `decision`, `claims`, `figures steady`, …
    pub what: String,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = self.profile.as_ref().map(|p| format!("/{p}")).unwrap_or_default();
        write!(f, "{}{profile} {}", self.experiment, self.what)
    }
}

/// A document after its tables were put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spliced {
    /// All of it.
    pub text: String,
    /// What each pair of markers asks for, and whether what stood there was something else.
    pub regions: Vec<(Wanted, bool)>,
}

/// Puts into the document what its markers ask for, as `render` gives it.
///
/// # Errors
///
/// If a marker is not closed, closes nothing, or lies within another one, with its line; or what `render` says.
pub fn splice(
    document: &str,
    mut render: impl FnMut(&Wanted) -> anyhow::Result<String>,
) -> anyhow::Result<Spliced> {
    let mut text = String::with_capacity(document.len());
    let mut regions = Vec::new();
    let mut open: Option<(Wanted, usize, String)> = None;
    let mut fence: Option<String> = None;
    for (n, line) in document.split_inclusive('\n').enumerate() {
        let line_number = n + 1;
        step_over_code(&mut fence, line);
        let marker = if fence.is_none() { marker(line) } else { None };
        match (&mut open, marker) {
            (None, None) => text.push_str(line),
            (Some((_, _, old)), None) => old.push_str(line),
            (None, Some(Marker::Open(wanted))) => {
                text.push_str(line);
                open = Some((wanted, line_number, String::new()));
            }
            (Some((wanted, begun, _)), Some(Marker::Open(_))) => {
                bail!("line {line_number}: a marker within `{wanted}`, which began in line {begun}")
            }
            (None, Some(Marker::Close(name))) => {
                bail!("line {line_number}: `/querylab:{name}` closes nothing")
            }
            (Some((wanted, begun, old)), Some(Marker::Close(name))) => {
                if name != wanted.experiment && !wanted.to_string().starts_with(&name) {
                    bail!(
                        "line {line_number}: `/querylab:{name}` where `{wanted}` of line {begun} is open"
                    );
                }
                let new = format!("{}\n", render(wanted)?.trim_end());
                let is_changed = *old != new;
                text.push_str(&new);
                text.push_str(line);
                regions.push((wanted.clone(), is_changed));
                open = None;
            }
        }
    }
    if let Some((wanted, begun, _)) = open {
        bail!(
            "line {begun}: `{wanted}` is not closed by `<!-- /querylab:{} -->`",
            wanted.experiment
        );
    }
    Ok(Spliced { text, regions })
}

enum Marker {
    Open(Wanted),
    Close(String),
}

/// The marker that a line consists of.
fn marker(line: &str) -> Option<Marker> {
    let inside = line.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    if let Some(name) = inside.strip_prefix("/querylab:") {
        return Some(Marker::Close(name.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    let mut words = inside.strip_prefix("querylab:")?.split_whitespace();
    let place = words.next()?;
    let what = words.collect::<Vec<_>>().join(" ");
    let (experiment, profile) = match place.split_once('/') {
        Some((experiment, profile)) => (experiment, Some(profile.to_owned())),
        None => (place, None),
    };
    Some(Marker::Open(Wanted {
        experiment: experiment.to_owned(),
        profile,
        what: if what.is_empty() { "decision".into() } else { what },
    }))
}

/// Whether the line opens or closes a block of code.
fn step_over_code(fence: &mut Option<String>, line: &str) {
    let bare = line.trim_start();
    let run: String = bare.chars().take_while(|c| *c == '`' || *c == '~').collect();
    let uniform = run.chars().all(|c| run.starts_with(c));
    match fence {
        None if run.len() >= 3 && uniform => *fence = Some(run),
        Some(open) if uniform && run.starts_with(open.as_str()) && bare.trim() == run => {
            *fence = None;
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(document: &str) -> anyhow::Result<Spliced> {
        splice(document, |wanted| Ok(format!("({wanted})\n\n")))
    }

    #[test]
    fn what_stands_between_markers_is_replaced_and_nothing_else() {
        let document = "a\n<!-- querylab:0001 -->\nold\n<!-- /querylab:0001 -->\nb\n\
                        <!-- querylab:0002-x/ci  figures steady -->\n(0002-x/ci figures steady)\n<!-- /querylab:0002-x/ci -->\nlast";
        let got = with(document).expect("well formed");
        assert_eq!(
            got.text,
            "a\n<!-- querylab:0001 -->\n(0001 decision)\n<!-- /querylab:0001 -->\nb\n\
             <!-- querylab:0002-x/ci  figures steady -->\n(0002-x/ci figures steady)\n<!-- /querylab:0002-x/ci -->\nlast"
        );
        let changed: Vec<bool> = got.regions.iter().map(|(_, changed)| *changed).collect();
        assert_eq!(changed, [true, false]);
        assert_eq!(with(&got.text).expect("again").text, got.text, "twice is once");
    }

    #[test]
    fn markers_in_code_are_text() {
        let document =
            "```\n<!-- querylab:0001 -->\n```\n~~~~\n```\n<!-- /querylab:0001 -->\n~~~~\n";
        let got = with(document).expect("no markers");
        assert_eq!((got.text.as_str(), got.regions.len()), (document, 0));
    }

    #[test]
    fn a_marker_that_is_not_closed_or_closes_nothing_is_refused_with_its_line() {
        for (document, why) in [
            ("\n<!-- querylab:0001 -->\nx", "line 2: `0001 decision` is not closed"),
            ("<!-- /querylab:0001 -->", "line 1: `/querylab:0001` closes nothing"),
            ("<!-- querylab:a -->\n<!-- querylab:b -->", "line 2: a marker within `a decision`"),
            ("<!-- querylab:a -->\n<!-- /querylab:b -->", "line 2: `/querylab:b` where"),
        ] {
            let error = with(document).expect_err(why).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
