//! A look at a tree: parts of it by pattern, and problems at their places.

use serde_json::Value;

use crate::spec::merge::Places;
use crate::spec::parse::Path;
use crate::spec::walk::{MOST, shown};
use crate::spec::{Problem, codes};
use crate::units::Span;

pub(super) struct Look<'a> {
    pub(super) tree: &'a Value,
    pub(super) places: Places<'a>,
    pub(super) out: &'a mut Vec<Problem>,
}

impl<'a> Look<'a> {
    /// Every existing path of the pattern, in which `*` is any key or position.
    pub(super) fn each(&self, pattern: &[&str]) -> Vec<Path> {
        let mut found: Vec<(Path, &Value)> = vec![(Path::new(), self.tree)];
        for part in pattern {
            let mut next = Vec::new();
            for (path, value) in found {
                let mut add = |key: &str, value| {
                    let mut path = path.clone();
                    path.push(key.to_owned());
                    next.push((path, value));
                };
                match (*part, value) {
                    ("*", Value::Object(table)) => table.iter().for_each(|(k, v)| add(k, v)),
                    ("*", Value::Array(list)) => {
                        list.iter().enumerate().for_each(|(i, v)| add(&i.to_string(), v));
                    }
                    (key, Value::Object(table)) => {
                        if let Some(value) = table.get(key) {
                            add(key, value);
                        }
                    }
                    _ => {}
                }
            }
            found = next;
        }
        found.into_iter().filter(|(_, value)| !value.is_null()).map(|(path, _)| path).collect()
    }

    /// The same in the file and in the patches of its variants.
    pub(super) fn both(&self, pattern: &[&str]) -> Vec<Path> {
        let patched: Vec<&str> = ["variants", "*"].iter().chain(pattern).copied().collect();
        let mut all = self.each(pattern);
        all.extend(self.each(&patched));
        all
    }

    /// The value at `path`.
    pub(super) fn get(&self, path: &[String]) -> Option<&'a Value> {
        let mut value = self.tree;
        for key in path {
            value = match value {
                Value::Array(list) => list.get(key.parse::<usize>().ok()?)?,
                _ => value.get(key)?,
            };
        }
        (!value.is_null()).then_some(value)
    }

    /// The value of `key` in the table at `path`.
    pub(super) fn of(&self, path: &[String], key: &str) -> Option<&'a Value> {
        self.get(path)?.get(key).filter(|v| !v.is_null())
    }

    /// The text of `key` in the table at `path`.
    pub(super) fn text(&self, path: &[String], key: &str) -> Option<&'a str> {
        self.of(path, key)?.as_str()
    }

    /// The number of `key` in the table at `path`.
    pub(super) fn number(&self, path: &[String], key: &str) -> Option<f64> {
        self.of(path, key)?.as_f64()
    }

    /// The duration of `key` in the table at `path`.
    pub(super) fn span(&self, path: &[String], key: &str) -> Option<Span> {
        self.text(path, key)?.parse().ok()
    }

    /// Says that the value at `path` is wrong: `what` goes on after its name.
    pub(super) fn bad(&mut self, code: &'static str, path: &[String], what: &str, help: &str) {
        if self.out.len() >= MOST {
            return;
        }
        let place = self.places.value(path);
        let what = format!("`{}` {what}", shown(path));
        self.out.push(Problem::error(code, what, place).with_help(Some(help.to_owned())));
    }

    /// Says that the key `key` at `path` excludes what stands at `other`.
    pub(super) fn excludes(&mut self, path: &[String], key: &str, other: &[String], why: &str) {
        let path = child(path, key);
        let place = self.places.key(&path);
        let what = format!("`{}` {why}", shown(&path));
        let problem = Problem::error(codes::EXCLUDES, what, place)
            .with_help(Some(format!("remove `{key}`, or change `{}`", shown(other))))
            .with_other(self.places.value(other), "it contradicts this");
        self.out.push(problem);
    }

    /// Says that the table at `path` needs `key`.
    pub(super) fn needs(&mut self, path: &[String], key: &str, why: &str) {
        let place = self.places.key(&child(path, key));
        let what = format!("`{}` is required {why}", shown(&child(path, key)));
        self.out.push(Problem::error(codes::NEEDS, what, place));
    }

    /// Says that `least` is above `most`, both keys of the table at `path`.
    pub(super) fn reversed(&mut self, path: &[String], least: &str, most: &str) {
        let (a, b) = (child(path, least), child(path, most));
        let what = format!("`{}` is more than `{most}`", shown(&a));
        let problem = Problem::error(codes::REVERSED, what, self.places.value(&a))
            .with_other(self.places.value(&b), format!("`{most}` is here"))
            .with_help(Some(format!("`{least}` is at most `{most}`")));
        self.out.push(problem);
    }
}

/// `path` with one more key.
pub(super) fn child(path: &[String], key: &str) -> Path {
    path.iter().cloned().chain(std::iter::once(key.to_owned())).collect()
}
