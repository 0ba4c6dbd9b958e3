//! `querylab init`: a starting experiment for tables that are there already.

use std::fs;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use super::args::{Global, InitArgs};
use super::exit::Exit;
use super::{out, signals, tools};
use crate::dataset;
use crate::lab::{self, Event, Found, Initiating};
use crate::spec::draft::{Wishes, id_of};

pub(super) fn init(global: &Global, args: &InitArgs) -> Result<Exit, Exit> {
    let input = |text: String| out::fail(Exit::Input, text);
    let file = args.output.as_deref().filter(|path| *path != Path::new("-"));
    if let Some(file) = file {
        fits(file).map_err(input)?;
    }
    let session = tools::postgres_alone(&args.tools)?;
    let runtime = tools::runtime()?;
    let (found, origin, name) = found(args, &runtime)?;
    let id = file
        .and_then(Path::file_stem)
        .map_or_else(|| id_of(&name), |stem| stem.to_string_lossy().into_owned());
    // Where the file will stand; what is printed is as if it stood here.
    let folder =
        file.and_then(Path::parent).filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let migrations = migrations(args, folder, &id);
    let is_new = matches!(found, Found::Database(_));
    if is_new && file.is_some() && fs::symlink_metadata(&migrations).is_ok() {
        return Err(input(format!(
            "{} is there already: name another folder with --migrations",
            migrations.display()
        )));
    }
    let wishes = Wishes {
        id,
        origin,
        migrations: relative(folder, &migrations).map_err(|e| input(format!("--schema: {e}")))?,
        migrations_make_indexes: !is_new,
        rows: args.rows,
        most_rows: args.most_rows,
        ..Wishes::default()
    };
    let order = Initiating { session, found, wishes };
    let done = runtime.block_on(async {
        let interrupt = signals::listen()
            .map_err(|e| out::fail(Exit::Environment, format!("cannot listen for signals: {e}")))?;
        let mut say = |event| match event {
            Event::Notice { text } if !global.quiet => out::stderr(&format!("{text}\n")),
            _ => {}
        };
        lab::init(&order, interrupt, &mut say)
            .await
            .map_err(|stop| out::fail(Exit::from(&stop), &stop))
    });
    runtime.shutdown_background();
    let draft = done?.draft;
    let environment =
        |e: std::io::Error| out::fail(Exit::Environment, format!("cannot write: {e}"));
    if let (Found::Database(remote), true) =
        (&order.found, file.is_some() || args.migrations.is_some())
    {
        fs::create_dir_all(&migrations).map_err(environment)?;
        write_new(&migrations.join("0001_schema.sql"), &remote.sql).map_err(environment)?;
    } else if is_new {
        out::stderr(
            "note: the schema is not written; name a file with --output, or a folder with --migrations\n",
        );
    }
    let Some(file) = file else {
        out::stdout(&draft.text)?;
        return Ok(Exit::Done);
    };
    write_new(file, &draft.text).map_err(environment)?;
    if out::is_json() {
        out::object(&serde_json::json!({
            "event": "drafted", "file": out::path(file), "tables": draft.tables, "left_out": draft.left,
        }))?;
    } else if !global.quiet {
        let (file, tables, left) = (file.display(), draft.tables.len(), draft.left.len());
        out::tell(&format!(
            "{file}: {tables} tables, {left} left out. Next: querylab run --profile smoke {file}\n"
        ))?;
    }
    Ok(Exit::Done)
}

/// Where the tables are found, what that is called for people, and a name for the experiment.
fn found(
    args: &InitArgs,
    runtime: &tokio::runtime::Runtime,
) -> Result<(Found, String, String), Exit> {
    if let Some(url) = &args.from_url {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            let text = "--from-url: write it like `postgres://user:password@host:5432/database`";
            return Err(out::fail(Exit::Input, text));
        }
        let remote = runtime
            .block_on(dataset::look(url))
            .map_err(|e| out::fail(Exit::Environment, format!("--from-url: {e:#}")))?;
        let name = remote.database.clone();
        return Ok((Found::Database(Box::new(remote)), format!("database {name}"), name));
    }
    let folder = args.schema.clone().unwrap_or_default();
    let whole = fs::canonicalize(&folder).map_err(|e| {
        out::fail(Exit::Input, format!("--schema: cannot read {}: {e}", folder.display()))
    })?;
    let name = whole.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((Found::Migrations(whole), format!("migrations {name}"), name))
}

/// Whether an experiment may be written there.
fn fits(file: &Path) -> Result<(), String> {
    let shown = file.display();
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_id = stem.bytes().next().is_some_and(good)
        && stem.len() <= 80
        && stem.bytes().all(|b| good(b) || b == b'-' || b == b'_');
    if !is_id || file.extension().is_none_or(|end| end != "toml") {
        return Err(format!(
            "--output: `{shown}` is no name for an experiment: a-z, 0-9, `-` and `_`, like `0002-orders.toml`"
        ));
    }
    if fs::symlink_metadata(file).is_ok() {
        return Err(format!("--output: {shown} is there already, and is not written over"));
    }
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(format!("--output: there is no folder {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// The folder of migrations: the author's own, or where those of a database go.
fn migrations(args: &InitArgs, folder: &Path, id: &str) -> PathBuf {
    if let Some(folder) = args.schema.as_ref().or(args.migrations.as_ref()) {
        return folder.clone();
    }
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let is_beside = whole.file_name().is_some_and(|name| name == "experiments");
    let base = if is_beside { folder.join("..") } else { folder.to_path_buf() };
    base.join("migrations").join(id)
}

/// The way from a folder to another, which need not be there yet.
fn relative(from: &Path, to: &Path) -> std::io::Result<String> {
    let from = fs::canonicalize(from)?;
    let to = resolved(to)?;
    let same = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(same).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.components().skip(same)).collect();
    if way.as_os_str().is_empty() {
        return Ok("./".into());
    }
    Ok(way.to_string_lossy().into_owned())
}

/// A path without detours, as far as it is there.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    if let Ok(whole) = fs::canonicalize(path) {
        return Ok(whole);
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(resolved(parent)?.join(name))
        }
        _ => fs::canonicalize(path),
    }
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_migrations_is_from_the_file() {
        let project = tempfile::tempdir().expect("a folder");
        let base = project.path();
        fs::create_dir_all(base.join("experiments/deep")).expect("made");
        fs::create_dir_all(base.join("migrations/x")).expect("made");
        let way = |from: &str, to: &str| relative(&base.join(from), &base.join(to)).expect("a way");
        assert_eq!(way("experiments", "migrations/x"), "../migrations/x");
        assert_eq!(
            way("experiments/deep", "experiments/../migrations/new"),
            "../../migrations/new"
        );
        assert_eq!(way("", "migrations/x"), "migrations/x");
        assert_eq!(way("migrations/x", "migrations/x"), "./");
    }

    #[test]
    fn an_experiment_is_written_to_a_new_file_with_an_id_for_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| fits(&folder.path().join(name));
        assert_eq!(file("0002-orders.toml"), Ok(()));
        for wrong in ["Orders.toml", "orders.txt", "orders", "-x.toml", "none/orders.toml"] {
            assert!(file(wrong).is_err(), "{wrong}");
        }
        write_new(&folder.path().join("there.toml"), "x").expect("written");
        assert!(file("there.toml").expect_err("it is there").contains("not written over"));
        assert!(write_new(&folder.path().join("there.toml"), "y").is_err());
    }
}
