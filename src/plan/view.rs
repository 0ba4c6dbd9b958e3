//! The file as one variant sees it.

use crate::spec::{Document, Variant};

/// One variant's view of the file: its tables with the patch laid over them.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'v> {
    /// The variant; empty for parts that no variant uses.
    pub(super) name: &'v str,
    /// The merged file.
    pub(super) document: &'v Document,
    /// The variant as written; none for parts that no variant uses.
    pub(super) variant: Option<&'v Variant>,
}

impl View<'_> {
    /// The endpoints that the variant drives, with their weights.
    pub(super) fn driven(&self) -> Vec<(&str, f64)> {
        match self.variant {
            Some(Variant { endpoint: Some(endpoint), .. }) => vec![(endpoint, 1.0)],
            Some(Variant { mix: Some(mix), .. }) => {
                mix.iter().map(|(name, weight)| (name.as_str(), *weight)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether it drives something that reads versions of rows through a cache.
    pub(super) fn reads_versions(&self) -> bool {
        self.driven().iter().any(|(name, _)| {
            let endpoint = self.document.endpoints.get(*name);
            endpoint.is_some_and(|e| e.cache.is_some() && e.check.version.is_some())
        })
    }

    /// Whether anything that the variant drives has a cache.
    pub(super) fn has_cache(&self) -> bool {
        self.driven()
            .iter()
            .any(|(name, _)| self.document.endpoints.get(*name).is_some_and(|e| e.cache.is_some()))
    }
}
