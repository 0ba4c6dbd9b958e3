//! Layers laid one over the other by figment, and which layer each value came from.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};
use serde_json::Value;

use super::Place;
use super::parse::{Mark, Path};
use super::source::Source;

/// Where a layer comes from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// The file, or a profile of it.
    File,
    /// One variable of the environment, by name.
    Environment(String),
    /// One `--set`, as typed.
    CommandLine(String),
}

/// One layer: data, and where each part of it was written.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) origin: Origin,
    pub(super) tree: Value,
    pub(super) marks: Arc<BTreeMap<Path, Mark>>,
}

/// The layers as one tree, which can say where each of its values came from.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub(super) tree: Value,
    layers: Vec<(Origin, Arc<BTreeMap<Path, Mark>>)>,
    /// The layer of each value: for tables the first that has them, for the rest the last.
    owner: BTreeMap<Path, usize>,
    /// Load profiles and variants that were made of one in the file: which, and their numbers among their like.
    made_of: BTreeMap<Path, (Path, Vec<usize>)>,
    pub(super) source: Arc<Source>,
}

struct Numbered<'a>(usize, &'a Value);

impl Provider for Numbered<'_> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.0.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = figment::value::Value::serialize(self.1)?;
        let dict = value.into_dict().unwrap_or_default();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

/// Lays each layer over those before it: tables merge, everything else replaces.
pub(super) fn merge(source: &Arc<Source>, layers: &[Layer]) -> Merged {
    let mut figment = Figment::new();
    for (number, layer) in layers.iter().enumerate() {
        figment = figment.merge(Numbered(number, &layer.tree));
    }
    let mut merged = Merged {
        tree: Value::Null,
        layers: layers.iter().map(|l| (l.origin.clone(), Arc::clone(&l.marks))).collect(),
        owner: BTreeMap::new(),
        made_of: BTreeMap::new(),
        source: Arc::clone(source),
    };
    // Layers are plain data already, so serialising them again has no way to fail.
    let mut data = figment.data().unwrap_or_default();
    let root = figment::value::Value::from(data.remove(&Profile::Default).unwrap_or_default());
    merged.tree = merged.take(&figment, root, &mut Path::new());
    merged
}

impl Merged {
    fn take(&mut self, figment: &Figment, value: figment::value::Value, path: &mut Path) -> Value {
        use figment::value::Value as V;
        let last = figment.get_metadata(value.tag()).and_then(|m| m.name.parse().ok()).unwrap_or(0);
        let is_table = matches!(value, V::Dict(..));
        let first = self.layers.iter().position(|(_, marks)| marks.contains_key(path));
        self.owner.insert(path.clone(), if is_table { first.unwrap_or(last) } else { last });
        match value {
            V::String(_, text) => Value::String(text),
            V::Char(_, c) => Value::String(c.to_string()),
            V::Bool(_, truth) => Value::Bool(truth),
            V::Num(_, number) => serde_json::to_value(number).unwrap_or_default(),
            V::Empty(..) => Value::Null,
            V::Dict(_, dict) => Value::Object(
                dict.into_iter()
                    .map(|(key, value)| {
                        path.push(key.clone());
                        let value = self.take(figment, value, path);
                        path.pop();
                        (key, value)
                    })
                    .collect(),
            ),
            V::Array(_, elements) => Value::Array(
                elements
                    .into_iter()
                    .enumerate()
                    .map(|(position, value)| {
                        path.push(position.to_string());
                        let value = self.take(figment, value, path);
                        path.pop();
                        value
                    })
                    .collect(),
            ),
        }
    }

    /// Notes that one entry of a section was made of another, the how manieth.
    pub(super) fn is_made_of(&mut self, section: &str, new: &str, old: &str, number: usize) {
        let path = |name: &str| vec![section.to_owned(), name.to_owned()];
        let (of, mut numbers) =
            self.made_of.get(&path(old)).cloned().unwrap_or_else(|| (path(old), Vec::new()));
        numbers.push(number);
        self.made_of.insert(path(new), (of, numbers));
    }

    /// Where what stands at a path was written.
    fn as_written(&self, path: &[String]) -> Path {
        let head = path.get(..2).and_then(|head| self.made_of.get(head));
        let head = head.map_or(&path[..path.len().min(2)], |(of, _)| of.as_slice());
        head.iter().chain(path.iter().skip(2)).cloned().collect()
    }

    fn mark(&self, path: &[String]) -> Option<(&Origin, Option<&Mark>)> {
        let path = &self.as_written(path);
        let (origin, marks) = self.layers.get(*self.owner.get(path)?)?;
        Some((origin, marks.get(path)))
    }

    fn written(&self, path: &[String], part: impl Fn(&Mark) -> Range<usize>) -> Option<Place> {
        let (origin, mark) = self.mark(path)?;
        match origin {
            Origin::File => mark.map(|m| self.source.place(part(m))),
            Origin::Environment(name) => Some(Place::Environment(name.clone())),
            Origin::CommandLine(typed) => Some(Place::CommandLine(typed.clone())),
        }
    }

    /// Where the value at exactly `path` stands.
    pub(super) fn value_place(&self, path: &[String]) -> Option<Place> {
        self.written(path, |m| m.value.clone())
    }

    /// Where the key at exactly `path` stands; an element of a list has none, so its value.
    pub(super) fn key_place(&self, path: &[String]) -> Option<Place> {
        self.written(path, |m| m.key.clone().unwrap_or_else(|| m.value.clone()))
    }

    /// Whether the value at `path` is a TOML date.
    pub(super) fn is_date(&self, path: &[String]) -> bool {
        self.mark(path).and_then(|(_, mark)| mark).is_some_and(|m| m.date)
    }

    /// The names under `path`, in the order in which they were first written.
    pub(super) fn in_file_order(&self, path: &[String]) -> Vec<String> {
        let mut at = &self.tree;
        for key in path {
            at = &at[key];
        }
        let Some(table) = at.as_object() else { return Vec::new() };
        let mut full = path.to_vec();
        let mut order: Vec<((usize, usize), &[usize], &String)> = table
            .keys()
            .map(|name| {
                full.push(name.clone());
                let written = self.as_written(&full);
                let first = self.layers.iter().enumerate().find_map(|(number, (_, marks))| {
                    Some((number, marks.get(&written)?.key.as_ref().map_or(0, |k| k.start)))
                });
                let numbers = self.made_of.get(&full).map_or(&[][..], |(_, numbers)| numbers);
                full.pop();
                (first.unwrap_or((usize::MAX, 0)), numbers, name)
            })
            .collect();
        order.sort();
        order.into_iter().map(|(_, _, name)| name.clone()).collect()
    }
}

/// A tree's places, as seen from the file or from one of its variants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) merged: &'a Merged,
    /// Looked at first: the tree is the file's with this variant's patch laid over it.
    pub(super) variant: Option<&'a str>,
}

impl Places<'_> {
    fn patched(&self, path: &[String]) -> Option<Path> {
        let variant = self.variant?;
        let head = ["variants".to_owned(), variant.to_owned()];
        Some(head.iter().chain(path).cloned().collect())
    }

    fn nearest(
        &self,
        path: &[String],
        exact: impl Fn(&Merged, &[String]) -> Option<Place>,
        above: impl Fn(&Merged, &[String]) -> Option<Place>,
    ) -> Place {
        for end in (0..=path.len()).rev() {
            let look = if end == path.len() { &exact as &dyn Fn(&_, &_) -> _ } else { &above };
            let patched = self.patched(&path[..end]).filter(|p| p.len() > 2);
            let place = patched.and_then(|p| look(self.merged, &p));
            if let Some(place) = place.or_else(|| look(self.merged, &path[..end])) {
                return place;
            }
        }
        self.merged.source.place(0..0)
    }

    /// Where the value at `path` stands, or the nearest thing above it.
    pub(super) fn value(&self, path: &[String]) -> Place {
        self.nearest(path, Merged::value_place, Merged::key_place)
    }

    /// Where the key at `path` stands, or the nearest thing above it.
    pub(super) fn key(&self, path: &[String]) -> Place {
        self.nearest(path, Merged::key_place, Merged::key_place)
    }

    /// Whether the value at `path` is a TOML date.
    pub(super) fn is_date(&self, path: &[String]) -> bool {
        let is_there = |p: &Path| self.merged.owner.contains_key(&self.merged.as_written(p));
        let patched = self.patched(path).filter(is_there);
        self.merged.is_date(&patched.unwrap_or_else(|| path.to_vec()))
    }
}
