//! The programs that the checks start: the oracle, `querylab drive`, wrk and oha.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How the checks are run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Everything, instead of what a few minutes hold.
    pub(crate) is_long: bool,
    /// Oracle and generator go before other programs of this machine.
    pub(crate) is_realtime: bool,
}

impl Settings {
    /// A generator: before all other programs, where that may be, and on the oracle's processor. That one never sleeps, so
    /// the generator is there at once when something is due or answered; a processor of its own would have to wake up
    /// first. It takes some microseconds from the oracle for that.
    fn command(self, program: impl AsRef<OsStr>) -> Result<Command> {
        if !self.is_realtime {
            return Ok(Command::new(program));
        }
        let mut command = Command::new("chrt");
        command.args(["--fifo", "20", "taskset", "--cpu-list", &last_processor()?]).arg(program);
        Ok(command)
    }

    /// The oracle: on the last processor, which it never leaves; so it may not be real-time, or the kernel would stop it for
    /// a twentieth of each second.
    fn oracle(self, program: impl AsRef<OsStr>) -> Result<Command> {
        if !self.is_realtime {
            return Ok(Command::new(program));
        }
        let mut command = Command::new("nice");
        command.args(["-n", "-20", "taskset", "--cpu-list", &last_processor()?]).arg(program);
        Ok(command)
    }
}

fn last_processor() -> Result<String> {
    Ok((std::thread::available_parallelism()?.get() - 1).to_string())
}

/// A running oracle.
#[derive(Debug)]
pub(crate) struct Oracle {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    port: u16,
}

/// What an oracle has seen.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) count: u64,
    /// When each request arrived, in nanoseconds, in order.
    pub(crate) arrived_ns: Vec<u64>,
}

impl Oracle {
    /// Starts one with orders like `law=constant:2`.
    pub(crate) fn start(settings: Settings, orders: &[&str]) -> Result<Self> {
        let own = std::env::current_exe()?;
        let mut command = settings.oracle(own)?;
        command.arg("oracle").args(orders).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the oracle")?;
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().context("no pipe")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let port = line.trim().strip_prefix("port ").and_then(|port| port.parse().ok());
        let port = port.with_context(|| format!("the oracle said `{}`", line.trim()))?;
        Ok(Self { child, stdin, stdout, port })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Ends it and hears what it has seen.
    pub(crate) fn end(mut self) -> Result<Seen> {
        drop(self.stdin.take());
        let mut told = String::new();
        self.stdout.read_to_string(&mut told)?;
        let mut lines = told.lines();
        let count = lines.next().and_then(|line| line.strip_prefix("count ")?.parse().ok());
        let count = count.context("the oracle did not say how many requests it saw")?;
        let arrived: Result<Vec<u64>, _> = lines.map(str::parse).collect();
        let mut arrived_ns = arrived?;
        arrived_ns.sort_unstable();
        Ok(Seen { count, arrived_ns })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may be stopped, or gone: both are fine.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What `querylab drive` has told.
#[derive(Debug)]
pub(crate) struct Measured(Value);

impl Measured {
    /// A figure of `response_time_us` or `service_time_us`, in milliseconds; infinite where it is not given.
    pub(crate) fn ms(&self, times: &str, figure: &str) -> f64 {
        self.0[times][figure].as_f64().map_or(f64::INFINITY, |us| us / 1e3)
    }

    /// A number of the object.
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap_or(f64::NAN)
    }

    /// A count of the object.
    pub(crate) fn count(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or(u64::MAX)
    }

    pub(crate) fn lag_p99_ms(&self) -> f64 {
        self.0["lag_us"]["p99"].as_f64().map_or(f64::INFINITY, |us| us / 1e3)
    }

    pub(crate) fn is_generator_limited(&self) -> bool {
        self.0["generator_limited"] == Value::Bool(true)
    }

    pub(crate) fn limits(&self) -> String {
        let limits = self.0["generator_limits"].as_array();
        let limits = limits.into_iter().flatten().filter_map(Value::as_str);
        limits.collect::<Vec<_>>().join("; ")
    }
}

/// The querylab that is held against the truth.
pub(crate) fn program() -> std::ffi::OsString {
    let built = env!("CARGO_BIN_EXE_querylab");
    std::env::var_os("QUERYLAB").unwrap_or_else(|| built.into())
}

/// A load that is under way.
pub(crate) struct Drive(Child);

impl Drive {
    pub(crate) fn start(settings: Settings, url: &str, args: &str) -> Result<Self> {
        let mut command = settings.command(program())?;
        command.args(["drive", url, "--json"]).args(args.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self(command.spawn().context("cannot start querylab drive")?))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    pub(crate) fn is_over(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// Waits for its end, which its duration and its timeout bound.
    pub(crate) fn end(self) -> Result<Measured> {
        let output = self.0.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "querylab drive: {}: {said}", output.status);
        Ok(Measured(serde_json::from_slice(&output.stdout)?))
    }
}

/// Drives a load from its start to its end.
pub(crate) fn drive(settings: Settings, url: &str, args: &str) -> Result<Measured> {
    Drive::start(settings, url, args)?.end()
}

/// A quantile of an interval log's histogram, in milliseconds.
pub(crate) fn log_ms(log: &str, tag: &str, q: f64) -> Result<f64> {
    let line = log.lines().find(|line| line.starts_with(&format!("Tag={tag},")));
    let packed = line.and_then(|line| line.rsplit(',').next()).context("no such tag")?;
    let bytes = base64(packed)?;
    let read = Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice());
    let histogram: Histogram<u64> = read.map_err(|e| anyhow!("no histogram: {e:?}"))?;
    Ok(histogram.value_at_quantile(q) as f64 / 1e6)
}

fn base64(text: &str) -> Result<Vec<u8>> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0u32);
    for letter in text.trim_end_matches('=').bytes() {
        let digit = ALPHABET.iter().position(|known| *known == letter).context("no base64")?;
        bits = (bits << 6) | u32::try_from(digit)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff)?);
        }
        bits &= (1 << held) - 1;
    }
    Ok(bytes)
}

/// Medians and 99th percentiles by another tool, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Other {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// A program of the path.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A closed load by wrk.
pub(crate) fn wrk(settings: Settings, url: &str, users: u32, seconds: u32) -> Result<Other> {
    let mut command = settings.command("wrk")?;
    command.args(["-t1", "--latency", "--timeout", "5s"]);
    command.arg(format!("-c{users}")).arg(format!("-d{seconds}s")).arg(url);
    let output = command.stdin(Stdio::null()).output().context("cannot start wrk")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let ms = |share: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(share));
        let text = line.with_context(|| format!("wrk gave no {share}: {said}"))?.trim();
        let number = text.trim_end_matches(char::is_alphabetic);
        let unit = match &text[number.len()..] {
            "us" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            other => return Err(anyhow!("wrk's unit `{other}`")),
        };
        Ok(number.parse::<f64>()? * unit)
    };
    Ok(Other { p50: ms("50%")?, p99: ms("99%")? })
}

/// A closed load by oha.
pub(crate) fn oha(settings: Settings, url: &str, users: u32, seconds: u32) -> Result<Other> {
    oha_with(settings, url, (users, seconds), &[])
}

/// The same with more of its options.
pub(crate) fn oha_with(
    settings: Settings,
    url: &str,
    (users, seconds): (u32, u32),
    more: &[&str],
) -> Result<Other> {
    let mut command = settings.command("oha")?;
    command.args(["--no-tui", "--output-format", "json"]).args(more);
    command.args(["-c", &users.to_string(), "-z", &format!("{seconds}s"), url]);
    let output = command.stdin(Stdio::null()).output().context("cannot start oha")?;
    let told: Value = serde_json::from_slice(&output.stdout).context("oha told no JSON")?;
    let ms = |share: &str| {
        let seconds = told["latencyPercentiles"][share].as_f64();
        seconds.map(|s| s * 1e3).with_context(|| format!("oha gave no {share}"))
    };
    Ok(Other { p50: ms("p50")?, p99: ms("p99")? })
}
