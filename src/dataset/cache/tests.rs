//! The whole cache on clusters that are only files: kept, found, refused, removed.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::entry::DATA;
use super::files::Listing;
use super::key::{FORMAT, Ingredients};
use super::manifest::Manifest;
use super::{Entry, Keeping, Kept, Lookup, Restored, Store, Verified};
use crate::dataset::LoadedTable;
use crate::rows::{ColumnSpec, Generator, RowOrder, TableSpec};

static GO: AtomicBool = AtomicBool::new(false);
const PLENTY: u64 = 1 << 40;

/// What is said of it, and how it is done.
type Damage = (&'static str, fn(&Path));

/// A stopped cluster, its passwords, and a cache.
struct Scene {
    folder: TempDir,
    store: Store,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("cache"), PLENTY).unwrap();
        let scene = Self { folder, store };
        fs::create_dir_all(scene.cluster().join("global")).unwrap();
        fs::create_dir_all(scene.cluster().join("base/5")).unwrap();
        let mut control = vec![0_u8; 8192];
        control[0] = 42;
        control[16] = 1;
        fs::write(scene.cluster().join("global/pg_control"), control).unwrap();
        fs::write(scene.cluster().join("base/5/16384"), vec![7_u8; 50_000]).unwrap();
        fs::write(scene.passwords(), "{}").unwrap();
        scene
    }

    fn cluster(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    fn passwords(&self) -> PathBuf {
        self.folder.path().join("passwords")
    }

    fn keep(&self, what: &Ingredients) -> Keeping {
        let (cluster, passwords) = (self.cluster(), self.passwords());
        self.store.keep((what, kept()), (&cluster, None), &passwords, &GO).unwrap()
    }

    fn look_up(&self, what: &Ingredients) -> Lookup {
        self.store.look_up(what, &GO).unwrap()
    }

    fn found(&self, what: &Ingredients) -> Entry {
        match self.look_up(what) {
            Lookup::Found(entry) => *entry,
            Lookup::Absent(why) => panic!("it is not there: {why:?}"),
        }
    }

    /// Expects that it is not used, and gone, and gives the reason.
    fn refused(&self, what: &Ingredients) -> String {
        let Lookup::Absent(Some(why)) = self.look_up(what) else { panic!("it was used") };
        assert!(matches!(self.look_up(what), Lookup::Absent(None)), "it is still there");
        why
    }

    fn file(&self, what: &Ingredients) -> PathBuf {
        self.entry(what).join(DATA).join("base/5/16384")
    }

    fn entry(&self, what: &Ingredients) -> PathBuf {
        self.store.folder().join(what.key())
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.store.folder()).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn ingredients(seed: u64) -> Ingredients {
    let column = ColumnSpec { name: "id".into(), generator: Generator::Uuid, null_ratio: 0.1 };
    Ingredients {
        format: FORMAT,
        loader: super::LOADER,
        querylab: "0".into(),
        machine: "m".into(),
        postgres: "15.18".into(),
        build: "b".into(),
        cluster: Vec::new(),
        settings: [].into(),
        migrations: vec![(1, "m".into())],
        seed,
        tables: vec![TableSpec {
            name: "t".into(),
            rows: 10,
            order: RowOrder::default(),
            columns: vec![column],
        }],
        sources: Vec::new(),
        samples: vec!["s".into()],
        after_load: Vec::new(),
    }
}

fn kept() -> Kept {
    let table = LoadedTable { name: "t".into(), rows: 10, ..LoadedTable::default() };
    Kept { tables: vec![table], sets: Vec::new(), prepare_ms: 1234 }
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    bytes[12_345] ^= 1;
    fs::write(file, bytes).unwrap();
}

/// Makes the manifest believe that the files were never written to, as if the disk had changed them by itself.
fn forget_times(entry: &Path) {
    let mut manifest = Manifest::read(entry).unwrap();
    let mut now = Listing::of(&entry.join(DATA)).unwrap();
    for (now, was) in now.files.iter_mut().zip(&manifest.listing.files) {
        now.sha256 = was.sha256.clone();
    }
    manifest.listing = now;
    manifest.write(entry).unwrap();
}

#[test]
fn what_was_kept_is_found_and_restored() {
    let scene = Scene::new();
    assert!(matches!(scene.look_up(&ingredients(1)), Lookup::Absent(None)));
    assert_eq!(scene.keep(&ingredients(1)), Keeping::Kept(Vec::new()));
    let entry = scene.found(&ingredients(1));
    assert_eq!(entry.kept(), &kept());
    assert_eq!(entry.bytes(), 58_192);
    let to = scene.folder.path().join("restored");
    fs::create_dir(&to).unwrap();
    entry.restore(&to, None, &GO).unwrap();
    assert_eq!(fs::read(to.join("base/5/16384")).unwrap(), vec![7_u8; 50_000]);
    assert!(matches!(scene.look_up(&ingredients(2)), Lookup::Absent(None)), "other data");
}

#[test]
fn a_cut_off_and_a_touched_and_a_missing_and_an_added_file_are_refused() {
    let what = ingredients(1);
    let damages: [Damage; 5] = [
        ("49999 bytes", |file| {
            OpenOptions::new().write(true).open(file).unwrap().set_len(49_999).unwrap();
        }),
        ("touched", |file| {
            let open = OpenOptions::new().append(true).open(file).unwrap();
            open.set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        }),
        ("touched", flip),
        ("files are others", |file| fs::remove_file(file).unwrap()),
        ("files are others", |file| fs::write(file.with_extension("1"), "").unwrap()),
    ];
    for (expected, damage) in damages {
        let scene = Scene::new();
        scene.keep(&what);
        damage(&scene.file(&what));
        let why = scene.refused(&what);
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_manifest_that_is_cut_off_or_of_other_data_is_refused() {
    let what = ingredients(1);
    let scene = Scene::new();
    scene.keep(&what);
    let manifest = scene.entry(&what).join("manifest.json");
    OpenOptions::new().write(true).open(manifest).unwrap().set_len(300).unwrap();
    assert!(scene.refused(&what).contains("manifest"));

    let scene = Scene::new();
    scene.keep(&what);
    fs::write(scene.entry(&what).join("passwords.json"), "{").unwrap();
    assert!(scene.refused(&what).contains("passwords"));

    // One whose folder was given another's name.
    let scene = Scene::new();
    scene.keep(&ingredients(2));
    fs::rename(scene.entry(&ingredients(2)), scene.entry(&what)).unwrap();
    assert!(scene.refused(&what).contains("under another name"));

    // One that says the right name, but was made of other things.
    let scene = Scene::new();
    scene.keep(&ingredients(2));
    fs::rename(scene.entry(&ingredients(2)), scene.entry(&what)).unwrap();
    let mut manifest = Manifest::read(&scene.entry(&what)).unwrap();
    manifest.key = what.key();
    manifest.write(&scene.entry(&what)).unwrap();
    assert!(scene.refused(&what).contains("key"));
}

#[test]
fn a_cluster_that_was_not_shut_down_is_not_kept_and_not_used() {
    let what = ingredients(1);
    let scene = Scene::new();
    scene.keep(&what);
    let control = scene.entry(&what).join(DATA).join("global/pg_control");
    let mut bytes = fs::read(&control).unwrap();
    bytes[16] = 6;
    fs::write(&control, &bytes).unwrap();
    forget_times(&scene.entry(&what));
    assert!(scene.refused(&what).contains("not shut down"));

    fs::write(scene.cluster().join("global/pg_control"), &bytes).unwrap();
    let (cluster, passwords) = (scene.cluster(), scene.passwords());
    assert!(scene.store.keep((&what, kept()), (&cluster, None), &passwords, &GO).is_err());
    assert_eq!(scene.names(), [""; 0], "nothing is left of it");
}

#[test]
fn a_flipped_byte_that_left_no_trace_is_found_by_verify_and_never_used_again() {
    let what = ingredients(1);
    let scene = Scene::new();
    scene.keep(&what);
    assert_eq!(scene.store.verify(&what.key(), &GO).unwrap(), Verified::Good);
    flip(&scene.file(&what));
    forget_times(&scene.entry(&what));
    drop(scene.found(&what));
    let Verified::Bad(why) = scene.store.verify(&what.key(), &GO).unwrap() else {
        panic!("not found")
    };
    assert!(why.contains("base/5/16384"), "{why}");
    assert_eq!(scene.store.list().unwrap()[0].unclean.as_deref(), Some(why.as_str()));
    assert!(scene.refused(&what).contains("base/5/16384"));
}

#[test]
fn after_an_unclean_end_the_content_decides() {
    let what = ingredients(1);
    let scene = Scene::new();
    scene.keep(&what);
    scene.found(&what).mark_unclean("the run died").unwrap();
    drop(scene.found(&what));
    assert_eq!(scene.store.list().unwrap()[0].unclean, None, "it was looked through");
    scene.found(&what).mark_unclean("the run died").unwrap();
    flip(&scene.file(&what));
    forget_times(&scene.entry(&what));
    assert!(scene.refused(&what).contains("content"));
}

#[test]
fn an_entry_is_one_users_at_a_time() {
    let what = ingredients(1);
    let scene = Scene::new();
    scene.keep(&what);
    let entry = scene.found(&what);
    assert!(matches!(scene.look_up(&what), Lookup::Absent(Some(why)) if why.contains("another")));
    assert_eq!(scene.store.verify(&what.key(), &GO).unwrap(), Verified::Busy);
    assert!(matches!(scene.keep(&what), Keeping::NotKept(_)));
    assert_eq!(scene.store.prune(0).unwrap(), [""; 0]);
    // A run that was interrupted may still have servers on it.
    let held = entry.hold().unwrap();
    drop(entry);
    assert_eq!(scene.store.verify(&what.key(), &GO).unwrap(), Verified::Busy);
    drop(held);
    assert_eq!(scene.keep(&what), Keeping::Kept(Vec::new()), "replaced");
    assert_eq!(scene.store.prune(0).unwrap(), [what.key()]);
    assert_eq!(scene.names(), [""; 0]);
}

#[test]
fn what_was_unused_the_longest_goes_first() {
    let scene = Scene::new();
    let all: Vec<Ingredients> = (1..=3).map(ingredients).collect();
    for what in &all {
        scene.keep(what);
    }
    // Uses in another order than that of keeping: 2, 3, 1.
    for (at, n) in [1_usize, 2, 0].into_iter().enumerate() {
        let used = File::options().write(true).open(scene.entry(&all[n]).join("used")).unwrap();
        used.set_modified(UNIX_EPOCH + Duration::from_secs(at as u64)).unwrap();
    }
    let two = 2 * 58_192;
    assert_eq!(scene.store.prune(two).unwrap(), [all[1].key()]);
    let tight = Store::open(&scene.folder.path().join("cache"), two).unwrap();
    let (cluster, passwords) = (scene.cluster(), scene.passwords());
    let kept_now = tight.keep((&ingredients(4), kept()), (&cluster, None), &passwords, &GO);
    assert_eq!(kept_now.unwrap(), Keeping::Kept(vec![all[2].key()]));
    let tiny = Store::open(&scene.folder.path().join("cache"), 1000).unwrap();
    let too_much = tiny.keep((&ingredients(5), kept()), (&cluster, None), &passwords, &GO);
    assert!(matches!(too_much.unwrap(), Keeping::NotKept(why) if why.contains("more than")));
    assert_eq!(tiny.list().unwrap().len(), 2, "nothing went for what was not kept");
}

#[test]
fn what_a_dead_builder_left_is_swept_and_a_living_ones_is_not() {
    let scene = Scene::new();
    let root = scene.store.folder().to_path_buf();
    for name in [".partial-1-1", ".partial-2-2", ".gone-3-3", ".new-1-0", ".new-1-1"] {
        fs::create_dir_all(root.join(name).join("data")).unwrap();
    }
    fs::create_dir(root.join("a user's own")).unwrap();
    // Whoever has that pid here, it need not be the maker.
    File::open(root.join(".new-1-0")).unwrap().set_modified(UNIX_EPOCH).unwrap();
    let living = File::open(root.join(".partial-2-2")).unwrap();
    rustix::fs::flock(&living, rustix::fs::FlockOperation::LockExclusive).unwrap();
    Store::open(&scene.folder.path().join("cache"), PLENTY).unwrap();
    let mut names = scene.names();
    names.sort();
    assert_eq!(names, [".new-1-1", ".partial-2-2", "a user's own"]);
}

#[test]
fn a_cache_that_others_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), PLENTY).unwrap();
    let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(store.folder(), open_to_all).unwrap();
    let refused = Store::open(folder.path(), PLENTY).unwrap_err().to_string();
    assert!(refused.contains("others"), "{refused}");
}

#[test]
fn an_interrupted_look_removes_nothing() {
    let what = ingredients(1);
    let scene = Scene::new();
    scene.keep(&what);
    scene.found(&what).mark_unclean("the run died").unwrap();
    assert!(scene.store.look_up(&what, &AtomicBool::new(true)).is_err());
    drop(scene.found(&what));
}

/// A copy of the entry as a run leaves it: a file changed, one more in a folder of its own, one gone.
fn worked_on(scene: &Scene, entry: &Entry) -> (PathBuf, Restored) {
    let to = scene.folder.path().join("copy");
    fs::create_dir(&to).unwrap();
    let restored = entry.restore(&to, None, &GO).unwrap();
    fs::write(to.join("base/5/16384"), vec![8_u8; 60_000]).unwrap();
    fs::create_dir(to.join("base/6")).unwrap();
    fs::write(to.join("base/6/1"), "more").unwrap();
    fs::remove_dir_all(to.join("base/4")).unwrap();
    (to, restored)
}

fn inode(file: &Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&fs::metadata(file).unwrap())
}

#[test]
fn what_a_run_adds_is_copied_and_nothing_else() {
    let what = ingredients(1);
    let scene = Scene::new();
    fs::create_dir(scene.cluster().join("base/4")).unwrap();
    fs::write(scene.cluster().join("base/4/1"), "old").unwrap();
    fs::write(scene.cluster().join("base/5/1"), vec![1_u8; 9000]).unwrap();
    scene.keep(&what);
    let same = scene.entry(&what).join(DATA).join("base/5/1");
    let inode_before = inode(&same);
    let entry = scene.found(&what);
    let (to, restored) = worked_on(&scene, &entry);
    let later = Kept { prepare_ms: 77, ..kept() };
    let added = scene.store.add((entry, later.clone()), (&to, None), &restored, &GO).unwrap();
    assert_eq!(added, Keeping::Kept(Vec::new()));
    assert_eq!(inode(&same), inode_before, "it was not copied again");
    let entry = scene.found(&what);
    assert_eq!(entry.kept(), &later);
    entry.verify(&GO).unwrap();
    assert_eq!(fs::read(entry.data().join("base/5/16384")).unwrap(), vec![8_u8; 60_000]);
    assert_eq!(fs::read(entry.data().join("base/6/1")).unwrap(), b"more");
    assert!(!entry.data().join("base/4").exists());
    assert_eq!(fs::read_dir(scene.entry(&what)).unwrap().count(), 4, "nothing lies around");
}

#[test]
fn an_addition_that_is_broken_off_leaves_the_entry_as_it_was() {
    let what = ingredients(1);
    let scene = Scene::new();
    fs::create_dir(scene.cluster().join("base/4")).unwrap();
    scene.keep(&what);
    let entry = scene.found(&what);
    let (to, restored) = worked_on(&scene, &entry);
    let stop = AtomicBool::new(true);
    assert!(scene.store.add((entry, kept()), (&to, None), &restored, &stop).is_err());
    let entry = scene.found(&what);
    entry.verify(&GO).unwrap();
    assert_eq!(fs::read(entry.data().join("base/5/16384")).unwrap(), vec![7_u8; 50_000]);
    // A cluster that was not shut down adds nothing.
    fs::write(to.join("global/pg_control"), "none").unwrap();
    assert!(scene.store.add((entry, kept()), (&to, None), &restored, &GO).is_err());
    drop(scene.found(&what));
}
