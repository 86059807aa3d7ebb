//! An engine of this machine, what its processes cost, and what it counts.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use crate::measure::{Cost, attempt};

/// A place of its own for an engine; what is deployed there is removed with it.
pub(crate) struct Local {
    home: tempfile::TempDir,
    /// The options of each deployment that is there.
    deployed: RefCell<Vec<Vec<String>>>,
}

/// What the processes of an engine have in common use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    /// Proportional set size, in MiB: what is shared counts once.
    pub(crate) megabytes: f64,
    pub(crate) descriptors: usize,
    pub(crate) processes: usize,
}

impl Local {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a directory"), deployed: RefCell::default() }
    }

    /// Runs nsmctl to its end, whatever that is.
    pub(crate) fn attempt(&self, words: &[&str]) -> (Cost, Output) {
        let mut program = Command::new(env!("CARGO_BIN_EXE_nsmctl"));
        program.args(["--target", "local"]).args(words);
        attempt(program.env_remove("KUBECONFIG").env("HOME", self.home.path()).env("NSMCTL_RUNTIME_DIR", self.run_dir()))
    }

    /// Runs nsmctl to its end, which must be a good one.
    pub(crate) fn run(&self, words: &[&str]) -> (Cost, String) {
        let (cost, output) = self.attempt(words);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = || text.lines().rev().take(20).collect::<Vec<_>>().join("\n");
        assert!(output.status.success(), "nsmctl {}: {}{}", words.join(" "), told(), String::from_utf8_lossy(&output.stderr));
        (cost, text)
    }

    /// Deploys with options that say what, as cleanup takes them too, and with some that say how.
    pub(crate) fn deploy(&self, what: &[&str], how: &[&str]) -> Cost {
        self.deployed.borrow_mut().push(what.iter().map(|word| (*word).to_owned()).collect());
        self.run(&[&["deploy"], what, how].concat()).0
    }

    /// Removes the deployment that was made last, or says why that cannot be.
    pub(crate) fn cleanup(&self) -> Cost {
        let options = self.deployed.borrow_mut().pop().unwrap_or_default();
        let words: Vec<&str> = ["cleanup", "-o", "short"].into_iter().chain(options.iter().map(String::as_str)).collect();
        let (cost, output) = self.attempt(&words);
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            println!("nsmctl {}: {}", words.join(" "), String::from_utf8_lossy(&text).lines().last().unwrap_or_default());
        }
        cost
    }

    /// A place for a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn run_dir(&self) -> PathBuf {
        self.path("run")
    }

    /// The engine's processes: those that were started with this directory.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let variable = format!("NSMCTL_RUNTIME_DIR={}", self.run_dir().display());
        let is_own = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
        };
        let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_own).collect()
    }

    /// What the engine's processes use now. One that ends meanwhile counts for nothing.
    pub(crate) fn used(&self) -> Used {
        let processes = self.processes();
        assert!(!processes.is_empty(), "no engine runs");
        let sum = |of: &dyn Fn(&Path) -> Option<f64>| processes.iter().filter_map(|pid| of(&PathBuf::from(format!("/proc/{pid}")))).sum::<f64>();
        Used {
            cpu: Duration::from_secs_f64(sum(&cpu_seconds)),
            megabytes: sum(&proportional_kilobytes) / 1024.0,
            descriptors: processes.iter().filter_map(|pid| Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count())).sum(),
            processes: processes.len(),
        }
    }

    /// What the engine counts, by the name of each series.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let (_, output) = self.attempt(&["metrics", "-o", "prometheus"]);
        // 3 where something could not be read: an endpoint that has just been killed counts nothing.
        assert!(matches!(output.status.code(), Some(0 | 3)), "nsmctl metrics: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        let series = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        series.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        while !self.deployed.borrow().is_empty() {
            self.cleanup();
        }
    }
}

/// A field of what the kernel tells of a process, by its number in proc_pid_stat(5); from the third on, which are behind its name.
pub(crate) fn stat_field(process: &Path, number: usize) -> Option<u64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// The processor's time that a process has had: utime and stime, in ticks of a hundredth of a second.
fn cpu_seconds(process: &Path) -> Option<f64> {
    const TICKS: f64 = 100.0;
    Some((stat_field(process, 14)? + stat_field(process, 15)?) as f64 / TICKS)
}

fn proportional_kilobytes(process: &Path) -> Option<f64> {
    let rollup = fs::read_to_string(process.join("smaps_rollup")).ok()?;
    rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?.split_whitespace().next()?.parse().ok()
}
