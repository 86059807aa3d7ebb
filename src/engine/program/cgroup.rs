//! The limits of a program, by control groups of either version, where this user may make some.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::model::Limits;

/// The period in which processor time is counted, in microseconds: the kernel's default.
const PERIOD: u64 = 100_000;
/// How often and after what pauses a group is removed: the kernel takes a moment to see that its last process has gone.
const REMOVE: (u32, Duration) = (20, Duration::from_millis(10));

/// The control groups of a program; none where nothing is limited or where none can be made.
#[derive(Debug, Default)]
pub(super) struct Cgroup {
    dirs: Vec<PathBuf>,
    join: Vec<PathBuf>,
    /// The one of version 2, of which a process can be in one only.
    two: Option<PathBuf>,
    complaints: Vec<String>,
}

impl Cgroup {
    /// Makes the groups for what is limited. A limit that cannot be kept is told, not refused. No limit of processes
    /// (`setrlimit`) stands in: those of memory count the addresses that are set aside, of which a Go program has gigabytes.
    pub(super) fn make(name: &str, limits: Limits) -> Self {
        let mut cgroup = Self::default();
        let places = Places::of_this_process();
        let limit = |amount: Option<u64>, what: &str, text: String| amount.map(|amount| (amount, what.to_owned(), text));
        let memory = limit(limits.memory_bytes, "memory", format!("memory limit of {} bytes", limits.memory_bytes.unwrap_or_default()));
        let cpu = limit(limits.cpu_millis, "cpu", format!("limit of {} thousandths of a core", limits.cpu_millis.unwrap_or_default()));
        for (amount, controller, text) in [memory, cpu].into_iter().flatten() {
            if let Err(error) = cgroup.limit(&places, name, &controller, amount) {
                cgroup.complaints.push(format!("the {text} is not kept: {error}"));
            }
        }
        cgroup
    }

    fn limit(&mut self, places: &Places, name: &str, controller: &str, amount: u64) -> io::Result<()> {
        let mut reason = io::Error::other(format!("this machine shows no control group for {controller}"));
        for (version, parent) in places.candidates(controller) {
            let dir = parent.join(name);
            if let Some(two) = self.two.as_ref().filter(|two| version == Version::Two && **two != dir) {
                // Whoever joined both would be in the last one only.
                reason = io::Error::other(format!("{reason}, and the other limits are kept in {}", two.display()));
                break;
            }
            match set(&dir, version, controller, amount) {
                Ok(()) => {
                    if version == Version::Two {
                        self.two = Some(dir.clone());
                    }
                    if !self.dirs.contains(&dir) {
                        self.join.push(dir.join("cgroup.procs"));
                        self.dirs.push(dir);
                    }
                    return Ok(());
                }
                Err(error) => {
                    if !self.dirs.contains(&dir) {
                        let _ = fs::remove_dir(&dir);
                    }
                    reason = io::Error::new(error.kind(), format!("{}: {error}", dir.display()));
                }
            }
        }
        Err(reason)
    }

    /// The files by which a process joins.
    pub(super) fn join(&self) -> &[PathBuf] {
        &self.join
    }

    /// What is not limited, and why.
    pub(super) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Whether the kernel has ended a process at its limit of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let files = self.dirs.iter().flat_map(|dir| [dir.join("memory.events"), dir.join("memory.oom_control")]);
        files.filter_map(|file| fs::read_to_string(file).ok()).any(|text| counted_kills(&text) > 0)
    }

    /// Removes the groups.
    pub(super) fn remove(&self) {
        for dir in &self.dirs {
            for _ in 0..REMOVE.0 {
                if fs::remove_dir(dir).is_ok() {
                    break;
                }
                std::thread::sleep(REMOVE.1);
            }
        }
    }
}

fn counted_kills(text: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or_default()
}

fn set(dir: &Path, version: Version, controller: &str, amount: u64) -> io::Result<()> {
    if version == Version::Two {
        // Refused where processes are in the parent itself; the limit's file is then missing, and the next parent is tried.
        let _ = dir.parent().map(|parent| fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}")));
    }
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let quota = amount * PERIOD / 1000;
    let put = |file: &str, text: String| {
        let path = dir.join(file);
        // A file that is not there must not be made: on a control group that is refused, elsewhere it would be a lie.
        fs::OpenOptions::new().write(true).open(&path).and_then(|mut open| io::Write::write_all(&mut open, text.as_bytes()))
    };
    match (version, controller) {
        (Version::One, "memory") => put("memory.limit_in_bytes", amount.to_string()),
        (Version::One, _) => put("cpu.cfs_period_us", PERIOD.to_string()).and_then(|()| put("cpu.cfs_quota_us", quota.to_string())),
        (Version::Two, "memory") => put("memory.max", amount.to_string()),
        (Version::Two, _) => put("cpu.max", format!("{quota} {PERIOD}")),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where this process is in the hierarchies of control groups.
#[derive(Debug, Default)]
struct Places {
    one: Vec<(String, PathBuf)>,
    two: Option<(PathBuf, PathBuf)>,
}

impl Places {
    fn of_this_process() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
    }

    fn parse(groups: &str, mounts: &str) -> Self {
        let mut places = Self::default();
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let is_two = controllers.is_empty();
            let found = mounts.lines().find_map(|mount| place(mount, if is_two { None } else { Some(controllers) }, path));
            let Some((top, own)) = found else { continue };
            if is_two {
                places.two = Some((top, own));
            } else {
                places.one.extend(controllers.split(',').map(|controller| (controller.to_owned(), own.clone())));
            }
        }
        places
    }

    /// The groups below which one for a controller may be made, the nearest first.
    fn candidates(&self, controller: &str) -> Vec<(Version, PathBuf)> {
        let one = self.one.iter().filter(|(known, _)| known == controller).map(|(_, own)| (Version::One, own.clone()));
        let two = self.two.iter().flat_map(|(top, own)| own.ancestors().take_while(move |dir| dir.starts_with(top)));
        one.chain(two.map(|dir| (Version::Two, dir.to_owned()))).collect()
    }
}

/// The top of a hierarchy and the group of a path, if this line of mountinfo is its mount (proc_pid_mountinfo(5)).
fn place(mount: &str, controllers: Option<&str>, path: &str) -> Option<(PathBuf, PathBuf)> {
    let (before, after) = mount.split_once(" - ")?;
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1)?);
    let fits = match controllers {
        None => kind == "cgroup2",
        Some(controllers) => kind == "cgroup" && controllers.split(',').all(|controller| options.split(',').any(|option| option == controller)),
    };
    let mut fields = before.split(' ').skip(3);
    let (root, point) = (fields.next()?, fields.next()?);
    let rest = Path::new(path).strip_prefix(root).ok()?;
    fits.then(|| (PathBuf::from(point), Path::new(point).join(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory can be limited in one group and processor time in another: who joins both is in the last.
    #[test]
    fn a_limit_that_would_undo_another_is_told_and_not_set() {
        let top = tempfile::tempdir().unwrap();
        let own = top.path().join("own");
        for (dir, file) in [(own.join("p"), "memory.max"), (top.path().join("p"), "cpu.max")] {
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(file), "").unwrap();
        }
        let places = Places { one: Vec::new(), two: Some((top.path().to_owned(), own.clone())) };
        let mut cgroup = Cgroup::default();
        cgroup.limit(&places, "p", "memory", 1 << 20).unwrap();
        let refused = cgroup.limit(&places, "p", "cpu", 500).unwrap_err().to_string();
        assert!(refused.contains("the other limits are kept in"), "{refused}");
        assert_eq!((cgroup.join(), fs::read_to_string(own.join("p/memory.max")).unwrap()), (&[own.join("p/cgroup.procs")][..], "1048576".to_owned()));
        assert_eq!(fs::read_to_string(top.path().join("p/cpu.max")).unwrap(), "", "it is not set where nobody is");
    }

    #[test]
    fn groups_of_either_version_are_found() {
        let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
                      35 31 0:32 /docker/x /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let groups = "5:memory:/docker/x/y\n3:cpu,cpuacct:/\n1:name=systemd:/z\n0::/user.slice/user-1.slice\n";
        let places = Places::parse(groups, mounts);
        let paths = |controller| places.candidates(controller).into_iter().map(|(_, path)| path.display().to_string()).collect::<Vec<_>>();
        let two = ["/sys/fs/cgroup/unified/user.slice/user-1.slice", "/sys/fs/cgroup/unified/user.slice", "/sys/fs/cgroup/unified"];
        assert_eq!(paths("memory"), [&["/sys/fs/cgroup/memory/y"][..], &two].concat());
        assert_eq!(paths("cpu"), [&["/sys/fs/cgroup/cpu,cpuacct/"][..], &two].concat());
        assert!(Places::parse("", "").candidates("memory").is_empty());
    }

    #[test]
    fn what_ran_out_of_memory_is_counted_by_either_version() {
        assert_eq!(counted_kills("low 0\noom 3\noom_kill 2\n"), 2);
        assert_eq!(counted_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), 1);
        assert_eq!(counted_kills("oom_kill_disable 0\n"), 0);
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_told() {
        let mut cgroup = Cgroup::default();
        let error = cgroup.limit(&Places::default(), "x", "memory", 1).unwrap_err();
        assert_eq!(error.to_string(), "this machine shows no control group for memory");
        assert!(cgroup.join().is_empty());
    }
}
