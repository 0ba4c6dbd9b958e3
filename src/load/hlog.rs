//! The window's histograms as an interval log (`.hlog`, V2 deflate), which other tools of that format read.

use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::WindowRecording;

/// Nanoseconds in the largest unit that the log's own maximum column is written in: milliseconds.
const MAX_VALUE_DIVISOR: f64 = 1e6;

impl WindowRecording {
    /// The log: one interval with the tags `response`, `service`, `first_byte` and `lag`, all in nanoseconds.
    ///
    /// # Errors
    ///
    /// If a histogram can't be written.
    pub fn hlog(&self, started: SystemTime) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment("one interval: the measured window, wherever in the trial it lay; values in nanoseconds; tags: response (from due), service (from sent), first_byte, lag")
            .with_start_time(started)
            .with_base_time(started)
            .with_max_value_divisor(MAX_VALUE_DIVISOR)
            .begin_log_with(&mut bytes, &mut serializer)?;
        let duration = Duration::from_nanos(self.duration_ns);
        let all = [
            ("response", &self.response),
            ("service", &self.service),
            ("first_byte", &self.first_byte),
            ("lag", &self.lag),
        ];
        for (name, histogram) in all {
            log.write_histogram(histogram, Duration::ZERO, duration, Tag::new(name))
                .map_err(|e| anyhow!("cannot write the histogram `{name}`: {e:?}"))?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn a_log_is_read_back_with_its_tags_and_values() {
        let mut window = WindowRecording::new();
        window.duration_ns = 2_000_000_000;
        window.response.record(1_500_000).unwrap();
        let bytes = window.hlog(SystemTime::UNIX_EPOCH).unwrap();
        let mut seen = Vec::new();
        for entry in IntervalLogIterator::new(&bytes) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                let raw = base64_of(interval.encoded_histogram());
                let read: Histogram<u64> =
                    Deserializer::new().deserialize(&mut raw.as_slice()).unwrap();
                seen.push((interval.tag().unwrap().as_str().to_owned(), read.len()));
            }
        }
        let names = ["response", "service", "first_byte", "lag"];
        assert_eq!(seen, names.map(|n| (n.to_owned(), u64::from(n == "response"))));
    }

    /// Base64, as the log has it; a library for one test would be one too many.
    fn base64_of(text: &str) -> Vec<u8> {
        let value = |c: u8| match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(value).collect();
        let mut bytes = Vec::new();
        for four in digits.chunks(4) {
            let bits = four.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
            let bits = bits << (6 * (4 - four.len()));
            bytes.extend(&bits.to_be_bytes()[1..four.len()]);
        }
        bytes
    }
}
