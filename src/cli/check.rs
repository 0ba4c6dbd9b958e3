//! `querylab check FILE…`: every mistake of every file.

use super::args::{FilesArgs, Global, MessageFormat};
use super::exit::Exit;
use super::{out, source};

pub(super) fn check(global: &Global, args: &FilesArgs) -> Result<Exit, Exit> {
    let mut worst = Exit::Done;
    for file in &args.files {
        match source::resolve(global, file, &args.layers) {
            Ok((_, plan)) => {
                for warning in &plan.warnings {
                    out::stderr(&format!("warning: {warning}\n"));
                }
                if global.message_format == MessageFormat::Json {
                    out::object(&serde_json::json!({
                        "event": "ok", "file": out::path(file), "variants": plan.variants.len(),
                        "cells": plan.cells.len(), "trials": plan.trials.len(), "warnings": plan.warnings,
                    }))?;
                } else if !global.quiet {
                    out::tell(&format!(
                        "{}: ok ({} variants, {} cells, {} trials)\n",
                        file.display(),
                        plan.variants.len(),
                        plan.cells.len(),
                        plan.trials.len()
                    ))?;
                }
            }
            Err(exit) => worst = worst.worst(exit),
        }
    }
    Ok(worst)
}
