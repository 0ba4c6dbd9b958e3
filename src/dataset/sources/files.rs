//! A file in pieces, read once: the part of it that is wanted, and whether it is the file that was looked at before.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::units::hex;

/// Bytes read at once.
const CHUNK: usize = 1 << 20;

/// The bytes from `start` to before `end` that a file has, to be sent on; ends with what its digest is.
///
/// # Errors
///
/// If the file can't be read, or is not the one with this digest.
pub(super) fn read(
    path: &Path,
    (start, end): (u64, u64),
    sha256: &str,
    send: &mpsc::Sender<Vec<u8>>,
) -> Result<()> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut at: u64 = 0;
    loop {
        let mut chunk = vec![0; CHUNK];
        let count = file.read(&mut chunk).with_context(|| path.display().to_string())?;
        if count == 0 {
            break;
        }
        chunk.truncate(count);
        hasher.update(&chunk);
        let here = |byte: u64| usize::try_from(byte.saturating_sub(at)).unwrap_or(count).min(count);
        let (from, to) = (here(start), here(end));
        at += count as u64;
        // Who no longer listens has a reason of his own.
        if from < to && send.blocking_send(chunk[from..to].to_vec()).is_err() {
            return Ok(());
        }
    }
    let now = hex(&hasher.finalize());
    ensure!(now == sha256, "{} was changed since it was looked at", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, range: (u64, u64), sha256: &str) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows");
        std::fs::write(&path, text).expect("written");
        let (send, mut receive) = mpsc::channel(8);
        read(&path, range, sha256, &send)?;
        drop(send);
        let mut all = Vec::new();
        while let Some(chunk) = receive.blocking_recv() {
            all.extend(chunk);
        }
        Ok(all)
    }

    #[test]
    fn a_part_is_sent_and_another_file_is_refused() {
        let digest = hex(&Sha256::digest("0123456789"));
        assert_eq!(part("0123456789", (2, 5), &digest).expect("read"), b"234");
        assert_eq!(part("0123456789", (0, u64::MAX), &digest).expect("read"), b"0123456789");
        assert_eq!(part("0123456789", (4, 4), &digest).expect("read"), b"");
        let changed = part("012345678", (2, 5), &digest).expect_err("another file");
        assert!(changed.to_string().contains("was changed"), "{changed}");
    }
}
