//! A `trials.csv` of any bytes: trials or an error, and what was read is written and read again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use querylab::results::{Table, read_trials, trials_table};

fn bytes_of(table: &Table) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(&table.header).chain(&table.rows) {
        writer.write_record(row).expect("into memory");
    }
    writer.into_inner().expect("into memory")
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(trials) = read_trials(bytes) else { return };
    let table = trials_table(&trials);
    let again = read_trials(&bytes_of(&table)).expect("what was written can be read");
    assert_eq!(bytes_of(&table), bytes_of(&trials_table(&again)), "a round trip changes the table");
});
