//! One subject or one cell, one worker: lock files that several machines on one file system respect.
//!
//! A lock is a file such as `status/sub-01.lock`, made by a hard link (which is atomic on network file systems, too). It
//! names its holder, who rewrites it every few seconds. A lock is stale, and taken over, if its process is gone from
//! this machine, or if it has not changed while it was watched for a minute. Watching, rather than comparing times,
//! makes wrong clocks harmless. Should two workers hold one lock all the same (a machine asleep for a minute), they do
//! the same work twice: every file is written whole and with the same contents.
//!
//! ```
//! use deepmir_pipeline::lock::{Lock, Taken};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("sub-01.lock");
//! let first = Lock::take(&path, None)?;
//! assert!(matches!(first, Taken::Ours(_)));
//! assert!(matches!(Lock::take(&path, None)?, Taken::Theirs(_)), "held by this process");
//! drop(first);
//! assert!(matches!(Lock::take(&path, None)?, Taken::Ours(_)));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use deepmir_volume::atomic;
use serde::{Deserialize, Serialize};

/// How often a holder rewrites its lock.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A lock that has not changed for so long is stale.
const STALE: Duration = Duration::from_secs(60);
/// How often [`Lock::take_or_watch`] reads somebody else's lock.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Locks that this process holds, with their tokens.
static HELD: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

fn held() -> MutexGuard<'static, BTreeMap<PathBuf, String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives back every lock that this process holds: for a process that ends at once.
pub fn release_all() {
    for (path, token) in std::mem::take(&mut *held()) {
        remove_own(&path, &token);
    }
}

/// Removes a lock if it is still ours. One that cannot be removed is stale later.
fn remove_own(path: &Path, token: &str) {
    if read(path).is_some_and(|there| there.token == token) {
        let _ = std::fs::remove_file(path);
    }
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its machine.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// Where its process's number counts: containers of one machine number theirs apart. Empty if unknown.
    #[serde(default)]
    pub processes: String,
    /// Unique to this holder.
    pub token: String,
    /// Heartbeats so far.
    pub beat: u64,
}

impl Holder {
    /// Whether its process can be looked up here.
    fn is_beside_us(&self) -> bool {
        let same = self.processes.is_empty() || self.processes == processes();
        self.host == host() && same
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "process {} on {}", self.pid, self.host)
    }
}

/// The outcome of asking for a lock.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Lock),
    /// Somebody else's.
    Theirs(Watch),
}

/// A lock that is held; released when dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    token: String,
    stop: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
}

/// Somebody else's lock, watched for heartbeats.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Who holds it; `None` if that cannot be read.
    pub holder: Option<Holder>,
    seen: Instant,
}

impl Watch {
    fn is_stale(&self) -> bool {
        let gone = self
            .holder
            .as_ref()
            .is_some_and(|holder| holder.is_beside_us() && process_is_known_gone(holder.pid));
        gone || self.seen.elapsed() >= STALE
    }
}

impl Lock {
    /// Takes the lock at `path` unless a live holder has it. `watch` is the outcome of the last attempt, so that a holder
    /// without heartbeats is noticed.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn take(path: &Path, watch: Option<Watch>) -> io::Result<Taken> {
        match Self::create(path) {
            Ok(lock) => return Ok(Taken::Ours(lock)),
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
        }
        let holder = read(path);
        let watch = match watch {
            Some(watch) if watch.holder == holder => watch,
            _ => Watch { holder, seen: Instant::now() },
        };
        if !watch.is_stale() {
            return Ok(Taken::Theirs(watch));
        }
        remove_stale(path, watch.holder.as_ref())?;
        match Self::create(path) {
            Ok(lock) => Ok(Taken::Ours(lock)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Taken::Theirs(Watch { holder: read(path), seen: Instant::now() }))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the lock at `path`, or watches its holder until it shows a heartbeat (some seconds) or is stale (a minute):
    /// for callers that ask once and cannot return later.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn take_or_watch(path: &Path) -> io::Result<Taken> {
        let mut watch: Option<Watch> = None;
        loop {
            match Self::take(path, watch.clone())? {
                Taken::Theirs(now) if watch.is_none_or(|first| first.holder == now.holder) => {
                    watch = Some(now);
                    std::thread::sleep(WATCH_EVERY);
                }
                outcome => return Ok(outcome),
            }
        }
    }

    fn create(path: &Path) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let mine = tempfile::Builder::new().prefix(".lock.").suffix(".tmp").tempfile_in(folder)?;
        let token = mine.path().to_string_lossy().into_owned();
        let (pid, processes) = (std::process::id(), processes());
        let holder = Holder { host: host(), pid, processes, token, beat: 0 };
        std::fs::write(mine.path(), serde_json::to_vec(&holder).map_err(io::Error::other)?)?;
        if let Err(error) = std::fs::hard_link(mine.path(), path) {
            if error.kind() == io::ErrorKind::AlreadyExists {
                return Err(error);
            }
            // A file system without hard links (FAT, some FUSE mounts): exclusive creation.
            let mut file = std::fs::File::create_new(path)?;
            io::copy(&mut std::fs::File::open(mine.path())?, &mut file)?;
        }
        held().insert(path.to_owned(), holder.token.clone());
        let (stop, stopped) = channel();
        let (token, at) = (holder.token.clone(), Arc::<Path>::from(path));
        let beating = std::thread::spawn(move || {
            let mut holder = holder;
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                holder.beat += 1;
                // A lock that was taken over belongs to another.
                if read(&at).is_some_and(|there| there.token == holder.token)
                    && let Ok(text) = serde_json::to_vec(&holder)
                {
                    // A missed heartbeat does no harm: the next follows.
                    let _ = atomic::write(&at, &text);
                }
            }
        });
        Ok(Self { path: path.to_owned(), token, stop: Some(stop), beating: Some(beating) })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(beating) = self.beating.take() {
            let _ = beating.join();
        }
        held().remove(&self.path);
        remove_own(&self.path, &self.token);
    }
}

/// Removes a stale lock, but only the one that was seen. Workers do so one at a time, by a lock of the operating system
/// on the folder: whoever comes late finds another's new lock and leaves it. Where folders cannot be locked (Windows,
/// some network file systems) the file is moved aside first and put back if it is not the one that was seen; for that
/// moment two workers could hold one lock.
fn remove_stale(path: &Path, seen: Option<&Holder>) -> io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let token = |holder: Option<&Holder>| holder.map(|holder| holder.token.clone());
    let one_at_a_time =
        std::fs::File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
    if one_at_a_time.is_ok() {
        if token(read(path).as_ref()) == token(seen) {
            return gone_is_fine(std::fs::remove_file(path));
        }
        return Ok(());
    }
    let aside = tempfile::Builder::new().prefix(".stale.").suffix(".tmp").tempfile_in(folder)?;
    match std::fs::rename(path, aside.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    if token(read(aside.path()).as_ref()) != token(seen) {
        match std::fs::hard_link(aside.path(), path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn gone_is_fine(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// This machine's name.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.ok().or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    name.trim().to_owned()
}

/// The namespace of this process's number, on Linux; empty elsewhere, and in a root without `/proc`.
fn processes() -> String {
    let name = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Whether a process of this machine has certainly ended; known on Linux only.
fn process_is_known_gone(pid: u32) -> bool {
    Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{pid}")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(path: &Path) -> Option<Lock> {
        match Lock::take(path, None).unwrap() {
            Taken::Ours(lock) => Some(lock),
            Taken::Theirs(_) => None,
        }
    }

    fn beside_us() -> Holder {
        Holder { host: host(), pid: 1, processes: processes(), token: "x".into(), beat: 3 }
    }

    #[test]
    fn a_process_of_another_container_is_not_known_to_be_gone() {
        let stale = |processes: &str| {
            let holder = Holder { pid: u32::MAX, processes: processes.to_owned(), ..beside_us() };
            Watch { holder: Some(holder), seen: Instant::now() }.is_stale()
        };
        assert_eq!(stale(&processes()), Path::new("/proc/self").exists());
        assert!(!stale("pid:[1]"));
    }

    #[test]
    fn one_holds_it_and_gives_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = ours(&path).unwrap();
        assert!(ours(&path).is_none());
        drop(first);
        assert!(ours(&path).is_some());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_process_that_ends_at_once_leaves_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = ours(&path).unwrap();
        // Only this one: other tests hold locks, too.
        let token = held().remove(&path).unwrap();
        remove_own(&path, "another's");
        assert!(path.exists());
        remove_own(&path, &token);
        assert!(!path.exists());
        drop(lock);
    }

    #[test]
    fn of_many_at_once_one_gets_it_stale_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        for stale in std::iter::once(false).chain(std::iter::repeat_n(true, 50)) {
            if stale {
                // No process has the highest number.
                let dead = Holder { pid: u32::MAX, ..beside_us() };
                std::fs::write(&path, serde_json::to_vec(&dead).unwrap()).unwrap();
            }
            let held: Vec<Option<Lock>> = std::thread::scope(|scope| {
                let tries: Vec<_> = (0..8).map(|_| scope.spawn(|| ours(&path))).collect();
                tries.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(held.iter().flatten().count(), 1, "stale: {stale}");
        }
    }

    #[test]
    fn a_lock_that_stands_still_is_taken_over_and_one_that_beats_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let elsewhere = Holder { host: "elsewhere".into(), pid: 1, ..beside_us() };
        std::fs::write(&path, serde_json::to_vec(&elsewhere).unwrap()).unwrap();
        let Taken::Theirs(watch) = Lock::take(&path, None).unwrap() else { unreachable!() };
        assert_eq!(watch.holder.as_ref().unwrap().host, "elsewhere");
        let Some(long_ago) = Instant::now().checked_sub(STALE) else { return };
        let waited = Watch { seen: long_ago, ..watch };
        let beaten = Holder { beat: 4, ..elsewhere.clone() };
        std::fs::write(&path, serde_json::to_vec(&beaten).unwrap()).unwrap();
        let again = Lock::take(&path, Some(waited.clone())).unwrap();
        assert!(matches!(again, Taken::Theirs(_)), "it beat");
        std::fs::write(&path, serde_json::to_vec(&elsewhere).unwrap()).unwrap();
        assert!(matches!(Lock::take(&path, Some(waited)).unwrap(), Taken::Ours(_)));
    }
}
