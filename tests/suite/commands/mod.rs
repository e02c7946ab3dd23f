//! Every command and flag: what it does, prints and leaves alone.

mod checking;
mod choosing;
mod identity;
mod issuing;
mod linting;
mod list;
mod publishing;
mod shell;
mod starting;

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::press::Press;

/// Every file below a folder: its bytes and when it was last written.
fn snapshot(press: &Press, folder: &str) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    press
        .files(folder)
        .into_iter()
        .map(|file| {
            let written = press.path(&file).metadata().unwrap().modified().unwrap();
            let bytes = press.read_bytes(&file);
            (file, (bytes, written))
        })
        .collect()
}

/// What a snapshot says apart from times.
fn bytes_of(press: &Press, folder: &str) -> BTreeMap<String, Vec<u8>> {
    snapshot(press, folder)
        .into_iter()
        .map(|(file, (bytes, _))| (file, bytes))
        .collect()
}

/// Titles of what the first planned issue carries.
fn planned(press: &Press) -> Vec<String> {
    let plans = press.run(&["--format", "json", "plan"]).json();
    plans[0]["issues"][0]["considered"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|article| article["choice"] == "in")
        .map(|article| article["title"].as_str().unwrap().to_owned())
        .collect()
}
