//! Reading an experiment file: parse with spans, lay the layers, find every mistake, decode.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::mend::{mend, partial};
use super::merge::{Layer, Merged, Origin, Places, merge};
use super::parse::{self, Mark, Parsed};
use super::source::Source;
use super::walk::{MOST, walk, word};
use super::{
    Document, Place, Problem, Problems, Severity, codes, file, matrix, meaning, overrides, print,
    schema, secrets, suggest,
};

/// More mistakes than this are not printed: nobody reads them.
const MOST_PROBLEMS: usize = 200;

/// Each profile is merged and checked whole.
const MOST_PROFILES: usize = 16;

/// What is laid over the file; later wins: profile, environment, `--set`.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// `--profile NAME`.
    pub profile: Option<String>,
    /// The environment's variables (all of them; only `QUERYLAB__SECTION__KEY` are looked at).
    pub environment: Vec<(String, String)>,
    /// `--set KEY=VALUE`, as typed.
    pub sets: Vec<String>,
}

/// An experiment file with its layers laid, decoded, and able to say where each key came from.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The file.
    pub path: PathBuf,
    /// Its folder; relative paths in the file start here.
    pub dir: PathBuf,
    /// The profile; none is `full`.
    pub profile: Option<String>,
    /// All profiles of the file.
    pub profiles: Vec<String>,
    /// The merged tree as data (without `profiles`).
    pub tree: Value,
    /// The merged tree as types.
    pub document: Document,
    /// Variant names in file order.
    pub variant_order: Vec<String>,
    /// The merged file as TOML, for `experiment.merged.toml`.
    pub merged_toml: String,
    /// Warnings found while reading.
    pub warnings: Vec<Problem>,
    /// Where each value came from.
    pub(super) merged: Merged,
    /// Whether it is the author's file, or one that is only looked through.
    pub(super) trust: Trust,
}

/// How much a file may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Every check was passed.
    Checked,
    /// It had mistakes, and was mended.
    Mended,
}

impl Spec {
    /// Where the value at `path` was written last (profile, environment and `--set` included); the nearest existing
    /// ancestor where the path itself does not exist.
    pub fn place_of(&self, path: &[&str]) -> Place {
        self.places(None).value(&owned(path))
    }

    /// Where the key at `path` (its name, not its value) was written.
    pub fn place_of_key(&self, path: &[&str]) -> Place {
        self.places(None).key(&owned(path))
    }

    /// Decodes a tree that is this file's with a variant's patch laid over it, and reports mistakes at the patch's
    /// places (then at the file's).
    ///
    /// # Errors
    ///
    /// Every mistake of the merged tree.
    pub fn decode_variant(&self, variant: &str, tree: &Value) -> Result<Document, Vec<Problem>> {
        let places = self.places(Some(variant));
        if self.trust == Trust::Mended {
            // Its mistakes have been reported; here it is only looked through for more.
            let mended = mend(tree);
            let place = places.key(&owned(&["variants", variant]));
            return decode(&mended, place).map_err(|problem| vec![*problem]);
        }
        let mut found = Vec::new();
        walk(tree, schema::shared(), places, &mut found);
        meaning::check(tree, places, &mut found);
        let found = in_order(found);
        if found.iter().any(|p| p.severity == Severity::Error) {
            return Err(found);
        }
        let place = places.key(&owned(&["variants", variant]));
        decode(tree, place).map_err(|problem| vec![*problem])
    }

    /// The source texts, for printing problems found later.
    pub fn problems(&self, list: Vec<Problem>) -> Problems {
        problems(list, &self.merged.source)
    }

    fn places<'a>(&'a self, variant: Option<&'a str>) -> Places<'a> {
        Places { merged: &self.merged, variant }
    }
}

pub(super) fn owned(path: &[&str]) -> parse::Path {
    path.iter().map(|p| (*p).to_owned()).collect()
}

/// Reads, layers, checks and decodes one experiment file.
///
/// # Errors
///
/// Every mistake that can be found, at once.
pub fn load(path: &Path, layers: &Layers) -> Result<Spec, Problems> {
    match file::read(path) {
        Ok(text) => load_text(path, text, layers),
        Err(problem) => Err(Problems { list: vec![*problem], ..Problems::default() }),
    }
}

/// The same for a text that is already read; `path` names it, and gives the folder and the id.
///
/// # Errors
///
/// Every mistake that can be found, at once.
pub fn load_text(path: &Path, text: String, layers: &Layers) -> Result<Spec, Problems> {
    let mut found = Vec::new();
    let (source, parsed) = parse_file(path, text, &mut found);
    if found.iter().any(|p| [codes::SYNTAX, codes::TOO_LARGE].contains(&p.code)) {
        return Err(problems(in_order(found), &source));
    }
    let stack = Stack::build(&source, parsed, layers, &mut found);
    stack.check_file(&mut found);
    let mut merged = merge(&source, &stack.layers(stack.chosen.as_deref()));
    matrix::expand(&mut merged, &mut found);
    check_merged(&merged, path, &mut found);
    let others = stack.profiles.keys().filter(|n| stack.chosen.as_ref() != Some(n));
    for name in others.take(MOST_PROFILES) {
        if found.len() > MOST_PROBLEMS {
            break;
        }
        let mut other = merge(&source, &stack.layers(Some(name)));
        matrix::expand(&mut other, &mut found);
        check_merged(&other, path, &mut found);
        once(&mut found);
    }
    let found = in_order(found);
    if found.iter().any(|p| p.severity == Severity::Error) {
        let partial = partial(path, stack.chosen, merged);
        return Err(Problems { partial, ..problems(found, &source) });
    }
    let start = source.place(0..0);
    let one = |problem| problems(vec![problem], &source);
    let tree = merged.tree.clone();
    let document = decode(&tree, start.clone()).map_err(|problem| one(*problem))?;
    let merged_toml = print::toml(&tree, &merged).map_err(|_| {
        one(Problem::error(codes::GAP, "the merged file cannot be written as TOML", start))
    })?;
    Ok(Spec {
        path: path.to_owned(),
        dir: file::folder(path),
        profiles: stack.profiles.keys().cloned().collect(),
        profile: stack.chosen,
        variant_order: merged.in_file_order(&owned(&["variants"])),
        warnings: found,
        tree,
        document,
        merged_toml,
        merged,
        trust: Trust::Checked,
    })
}

fn parse_file(path: &Path, text: String, found: &mut Vec<Problem>) -> (Arc<Source>, Parsed) {
    let mut parsed = parse::document(&text);
    let is_toml = parsed.faults.iter().all(|f| f.code != codes::SYNTAX);
    let in_text = if is_toml { Vec::new() } else { secrets::in_text(&text) };
    let mut source = Source::new(&path.to_string_lossy(), text);
    for fault in std::mem::take(&mut parsed.faults).into_iter().take(MOST) {
        let place = source.place(fault.span);
        found.push(Problem::error(fault.code, fault.what, place).with_help(fault.help));
    }
    let secrets: Vec<_> = secrets::take(&mut parsed.tree)
        .into_iter()
        .filter_map(|path| Some((parsed.marks.get(&path)?.clone(), path)))
        .collect();
    for (mark, path) in secrets.iter().take(MOST) {
        let place = source.place(mark.key.clone().unwrap_or_else(|| mark.value.clone()));
        let key = path.last().map(|k| word(k)).unwrap_or_default();
        let problem = Problem::error(codes::SECRET, format!("`{key}` holds a secret"), place);
        found.push(problem.with_help(Some(secrets::HELP.into())));
    }
    source.mask(secrets.into_iter().map(|(mark, _)| mark.value).chain(in_text));
    (Arc::new(source), parsed)
}

/// The file, its profiles and the overrides, before they are laid over each other.
struct Stack {
    whole: Merged,
    file: Layer,
    profiles: BTreeMap<String, Layer>,
    overrides: Vec<Layer>,
    chosen: Option<String>,
}

impl Stack {
    fn build(
        source: &Arc<Source>,
        parsed: Parsed,
        layers: &Layers,
        found: &mut Vec<Problem>,
    ) -> Self {
        let Parsed { mut tree, marks, .. } = parsed;
        let marks = Arc::new(marks);
        let layer = |tree: Value, marks| Layer { origin: Origin::File, tree, marks };
        let whole = merge(source, &[layer(tree.clone(), Arc::clone(&marks))]);
        let profiles = tree.as_object_mut().and_then(|t| t.remove("profiles"));
        let profiles: BTreeMap<String, Layer> = profiles
            .and_then(|p| p.as_object().cloned())
            .into_iter()
            .flatten()
            .filter(|(_, tree)| tree.is_object())
            .map(|(name, mut tree)| {
                // A profile in a profile is reported as an unknown key, and is not to count as a section.
                tree.as_object_mut().map(|t| t.remove("profiles"));
                let marks = below(&marks, &["profiles", &name]);
                (name, layer(tree, Arc::new(marks)))
            })
            .collect();
        let chosen = choose(layers.profile.as_deref(), &profiles, found);
        let file = layer(tree, marks);
        let mut stack = Self { whole, file, profiles, overrides: Vec::new(), chosen };
        stack.add_overrides(source, layers, found);
        stack
    }

    /// Each override finds its key in what the layers before it gave.
    fn add_overrides(&mut self, source: &Arc<Source>, layers: &Layers, found: &mut Vec<Problem>) {
        let tree = merge(source, &self.layers(self.chosen.as_deref())).tree;
        let mut environment: Vec<&(String, String)> = layers.environment.iter().collect();
        environment.sort();
        let variables =
            environment.iter().filter_map(|(name, value)| overrides::variable(name, value, &tree));
        let sets = layers.sets.iter().map(|typed| overrides::set(typed, &tree));
        for layer in variables.chain(sets) {
            match layer {
                Ok(mut layer) => {
                    if !secrets::take(&mut layer.tree).is_empty() {
                        let place = match &layer.origin {
                            Origin::Environment(name) => Place::Environment(name.clone()),
                            Origin::CommandLine(typed) => Place::CommandLine(typed.clone()),
                            Origin::File => Place::Nowhere,
                        };
                        let problem = Problem::error(codes::SECRET, "it holds a secret", place);
                        found.push(problem.with_help(Some(secrets::HELP.into())));
                    }
                    self.overrides.push(layer);
                }
                Err(problem) => found.push(*problem),
            }
        }
    }

    fn layers(&self, profile: Option<&str>) -> Vec<Layer> {
        let profile = profile.and_then(|name| self.profiles.get(name));
        std::iter::once(&self.file).chain(profile).chain(&self.overrides).cloned().collect()
    }

    /// The file as it stands with all of its profiles. What is missing is judged after the layers are laid.
    fn check_file(&self, found: &mut Vec<Problem>) {
        let places = Places { merged: &self.whole, variant: None };
        let mut here = Vec::new();
        walk(&self.whole.tree, schema::shared(), places, &mut here);
        found.extend(here.into_iter().filter(|p| p.code != codes::REQUIRED));
        if self.profiles.contains_key("full") {
            let what = "no profile can be named `full`";
            let help = "`full` is the name of the file without a profile";
            let place = places.key(&owned(&["profiles", "full"]));
            found.push(Problem::error(codes::BAD_NAME, what, place).with_help(Some(help.into())));
        }
        if self.profiles.len() > MOST_PROFILES {
            let what = format!(
                "`profiles` has {} entries; at most {MOST_PROFILES} are allowed",
                self.profiles.len()
            );
            found.push(Problem::error(codes::BAD_COUNT, what, places.key(&owned(&["profiles"]))));
        }
    }
}

fn choose(
    wanted: Option<&str>,
    profiles: &BTreeMap<String, Layer>,
    found: &mut Vec<Problem>,
) -> Option<String> {
    let wanted = wanted?;
    // Without a profile the results are called `full`, so that name asks for none.
    if wanted == "full" && !profiles.contains_key("full") {
        return None;
    }
    if profiles.contains_key(wanted) {
        return Some(wanted.to_owned());
    }
    let place = Place::CommandLine(format!("--profile {wanted}"));
    let what = format!("this file has no profile `{}`", word(wanted));
    let help = suggest::help(wanted, profiles.keys().map(String::as_str))
        .or_else(|| Some("it has no profiles at all".into()));
    found.push(Problem::error(codes::UNKNOWN_PROFILE, what, place).with_help(help));
    None
}

/// The marks below `prefix`, as if the tree began there.
fn below(marks: &BTreeMap<parse::Path, Mark>, prefix: &[&str]) -> BTreeMap<parse::Path, Mark> {
    marks
        .iter()
        .filter(|(path, _)| {
            path.len() > prefix.len() && path.iter().zip(prefix).all(|(a, b)| a == b)
        })
        .map(|(path, mark)| (path[prefix.len()..].to_vec(), mark.clone()))
        .collect()
}

fn check_merged(merged: &Merged, path: &Path, found: &mut Vec<Problem>) {
    let places = Places { merged, variant: None };
    walk(&merged.tree, schema::shared(), places, found);
    meaning::check(&merged.tree, places, found);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let id = merged.tree["experiment"]["id"].as_str();
    if id.is_some_and(|id| id != stem) {
        let place = places.value(&owned(&["experiment", "id"]));
        let help = format!("write `id = {:?}`, or rename the file", word(&stem));
        let problem = Problem::error(codes::ID_IS_NOT_STEM, "the id is not the file's stem", place);
        found.push(problem.with_help(Some(help)));
    }
}

fn decode(tree: &Value, place: Place) -> Result<Document, Box<Problem>> {
    Document::deserialize_from(tree).map_err(|_| {
        // The reason is left out, because serde's messages hold the value.
        let what = "the checks passed, and the file cannot be decoded: this is a bug of querylab";
        Box::new(Problem::error(codes::GAP, what, place))
    })
}

impl Document {
    fn deserialize_from(tree: &Value) -> Result<Self, serde_json::Error> {
        serde::Deserialize::deserialize(tree)
    }
}

/// File order, each once, and no more than anybody reads.
fn in_order(mut list: Vec<Problem>) -> Vec<Problem> {
    once(&mut list);
    if list.len() > MOST_PROBLEMS {
        let more = list.len() - MOST_PROBLEMS;
        list.truncate(MOST_PROBLEMS);
        list.push(Problem::error(codes::MANY, format!("and {more} more"), Place::Nowhere));
    }
    list
}

/// Sorts, and drops what was said before: a merged tree shows what the file alone showed already.
fn once(list: &mut Vec<Problem>) {
    list.sort_by(|a, b| (&a.place, a.code, &a.what).cmp(&(&b.place, b.code, &b.what)));
    list.dedup_by(|b, a| {
        a.code == b.code
            && a.place == b.place
            && (a.what == b.what || without_profile(&a.what) == without_profile(&b.what))
    });
}

/// The sentence about a key of a profile as it is about the same key of the merged file.
fn without_profile(what: &str) -> String {
    let Some((before, rest)) = what.split_once("`profiles.") else { return what.to_owned() };
    let end = rest.find(['.', '`']).unwrap_or(rest.len());
    match rest[end..].strip_prefix('.') {
        Some(key) => format!("{before}`{key}"),
        None => before.trim_end_matches(" in ").to_owned(),
    }
}

fn problems(list: Vec<Problem>, source: &Source) -> Problems {
    let sources = vec![(source.path().to_owned(), source.text().to_owned())];
    Problems { list, sources, partial: None }
}
