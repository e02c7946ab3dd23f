//! The output folder: only what differs is written, only what is ours is
//! removed, and whatever goes wrong, what was published stays complete.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::press::Press;
use crate::process::Running;

/// Every file below a folder with its bytes.
fn snapshot(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            let name = entry.path().strip_prefix(folder).unwrap();
            let name = name.to_str().unwrap().to_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn public(press: &Press) -> BTreeMap<String, Vec<u8>> {
    snapshot(&press.path("public"))
}

fn forget_garden(press: &Press) {
    fs::remove_dir_all(press.path("content/garden")).unwrap();
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut text)
        .unwrap();
    text
}

#[test]
fn every_text_file_has_a_copy_that_is_only_written_when_the_text_changes() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let files = public(&press);
    for (name, bytes) in &files {
        let is_text = [".xml", ".json", ".html", ".css", ".opml"]
            .iter()
            .any(|ending| name.ends_with(ending));
        let copy = files.get(&format!("{name}.gz"));
        assert_eq!(copy.is_some(), is_text && bytes.len() > 1024, "{name}");
        assert!(copy.is_none_or(|copy| gunzip(copy) == *bytes), "{name}");
    }
    let inode = |name: &str| fs::metadata(press.path(name)).unwrap().ino();
    let before = (inode("public/rss.xml"), inode("public/rss.xml.gz"));
    fs::remove_file(press.path("public/atom.xml.gz")).unwrap();
    press
        .run(&["build"])
        .succeeds()
        .says("0 new files, 0 changed");
    assert_eq!(
        before,
        (inode("public/rss.xml"), inode("public/rss.xml.gz"))
    );
    assert_eq!(public(&press), files, "the missing copy is back");

    press.config(|settings| {
        let names = toml::Value::try_from(["br", "zst"]).unwrap();
        settings["content"]
            .as_table_mut()
            .unwrap()
            .insert("compress".to_owned(), names);
    });
    press.run(&["build"]).succeeds();
    let files = public(&press);
    assert!(files.contains_key("rss.xml.br") && files.contains_key("rss.xml.zst"));
    assert!(!files.keys().any(|name| name.ends_with(".gz")));
    let restored = zstd::stream::decode_all(&files["rss.xml.zst"][..]).unwrap();
    assert_eq!(restored, files["rss.xml"]);
}

#[test]
fn what_nothing_makes_any_more_is_removed_and_what_others_made_is_not() {
    let press = Press::new();
    press.write("public/CNAME", "garden.example.org\n");
    press.write("public/garden/own.txt", "somebody's notes\n");
    press.run(&["build"]).succeeds();
    assert!(press.path("public/sections/garden/rss.xml.gz").exists());
    press.write("public/sections/garden/atom.xml", "changed by hand\n");
    forget_garden(&press);
    press
        .run(&["build"])
        .succeeds()
        .prints("removed  sections/garden/rss.xml\n")
        .says("changed by someone else: sections/garden/atom.xml");
    let files = public(&press);
    let mut foreign: Vec<&str> = files.keys().map(String::as_str).collect();
    foreign.retain(|name| name.contains("garden/") || *name == "CNAME");
    assert_eq!(
        foreign,
        ["CNAME", "garden/own.txt", "sections/garden/atom.xml"]
    );
    // Said once: it is somebody else's now.
    let again = press.run(&["build"]);
    again.succeeds().conceals("someone else");
    fs::remove_file(press.path("public/sections/garden/atom.xml")).unwrap();
    press.run(&["build"]).succeeds();
    assert!(
        !press.path("public/sections/garden").exists(),
        "an empty folder of ours"
    );
    assert!(press.path("public/garden/own.txt").exists());
}

#[test]
fn a_file_of_somebody_else_is_replaced_only_when_asked() {
    let press = Press::new();
    press.write("public/atom.xml", "<feed>of another program</feed>\n");
    press
        .run(&["build"])
        .exits(65)
        .says("files of someone else stand in their places: atom.xml")
        .says("--overwrite");
    assert_eq!(
        press.read("public/atom.xml"),
        "<feed>of another program</feed>\n"
    );
    assert!(!press.path("public/atom.xml.gz").exists());
    assert!(
        press.path("public/rss.xml").exists(),
        "the others are published"
    );
    press.run(&["build", "--overwrite"]).succeeds();
    assert!(press.read("public/atom.xml").contains("Letterpress"));
    // Ours now, whoever edits it.
    press.write("public/atom.xml", "edited by hand\n");
    press.run(&["build"]).succeeds().prints("changed  atom.xml");
}

#[test]
fn a_file_of_ours_is_known_without_the_ledger_as_long_as_it_is_the_same() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    for name in ["letterpress.db", "letterpress.db-wal", "letterpress.db-shm"] {
        drop(fs::remove_file(press.path(name)));
    }
    press
        .run(&["build"])
        .succeeds()
        .says("0 new files, 0 changed");
    forget_garden(&press);
    press.run(&["build"]).succeeds().says(" removed");
    assert!(!press.path("public/sections/garden/rss.xml").exists());
}

#[test]
fn letters_go_out_even_when_a_feed_cannot_be_published() {
    let press = Press::new();
    press.subscribers(2);
    press.write("public/atom.xml", "<feed>of another program</feed>\n");
    press.run(&["run"]).exits(65).says("atom.xml");
    assert_eq!(press.files("outbox").len(), 2);
}

#[test]
fn a_file_and_a_folder_may_change_places() {
    let press = Press::new();
    let alter = |from: &str, to: &str| {
        let text = press.read("letterpress.toml").replace(from, to);
        press.write("letterpress.toml", &text);
    };
    alter("[content]", "logo = \"art\"\n[content]");
    press.write_bytes("art", &crate::picture::png(20, 20, [9, 9, 9]));
    press.run(&["build"]).succeeds();
    assert!(press.path("public/art").is_file());
    fs::remove_file(press.path("art")).unwrap();
    press.write_bytes("art/logo", &crate::picture::png(20, 20, [9, 9, 9]));
    alter("\"art\"", "\"art/logo\"");
    press.run(&["build"]).succeeds();
    assert!(press.path("public/art/logo").is_file());
    fs::remove_dir_all(press.path("art")).unwrap();
    press.write_bytes("art", &crate::picture::png(20, 20, [9, 9, 9]));
    alter("\"art/logo\"", "\"art\"");
    press.run(&["build"]).succeeds();
    assert!(press.path("public/art").is_file());
}

#[test]
fn two_publications_leave_each_others_files_in_one_folder_alone() {
    let (first, second) = (Press::new(), Press::new());
    forget_garden(&second);
    second.write("content/sea/_index.md", "+++\ntitle = \"Sea\"\n+++\n");
    second.article(
        "sea/tide.md",
        "+++\ntitle = \"Tide\"\ndate = 2026-11-20\n+++\nLow at six.\n",
    );
    let shared = tempfile::tempdir().unwrap();
    let out = shared.path().to_str().unwrap();
    first.run(&["build", "--out", out]).succeeds();
    let of_first = snapshot(shared.path());
    second
        .run(&["build", "--out", out])
        .exits(65)
        .says("rss.xml");
    assert!(shared.path().join("sections/sea/rss.xml").exists());
    let both = snapshot(shared.path());
    assert!(of_first.iter().all(|(name, bytes)| both[name] == *bytes));
    // The first one loses a section: of the other's nothing goes.
    forget_garden(&first);
    first.run(&["build", "--out", out]).succeeds();
    let now = snapshot(shared.path());
    let of_second = both
        .iter()
        .filter(|(name, _)| !of_first.contains_key(*name));
    for (name, bytes) in of_second {
        assert_eq!(now.get(name), Some(bytes), "{name}");
    }
    assert!(!now.keys().any(|name| name.starts_with("garden/")));
}

#[test]
fn a_publication_that_moves_still_knows_its_files() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let elsewhere = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-a", press.dir().to_str().unwrap()])
        .arg(elsewhere.path().join("moved"))
        .status()
        .unwrap();
    assert!(copied.success());
    let moved = elsewhere.path().join("moved");
    for name in ["first-rain.md", "shade.md"] {
        fs::remove_file(moved.join("content/garden").join(name)).unwrap();
    }
    let config = moved.join("letterpress.toml");
    press
        .run(&["--config", config.to_str().unwrap(), "build"])
        .succeeds();
    assert!(!moved.join("public/sections/garden/rss.xml").exists());
    assert!(press.path("public/sections/garden/rss.xml").exists());
}

fn grow(press: &Press, kilobytes: usize) {
    // Text that compresses badly, so that the copies grow, too.
    let words: Vec<String> = (0..kilobytes * 1024 / 40)
        .map(|n| {
            let hash = Sha256::digest(n.to_string());
            data_encoding::HEXLOWER.encode(&hash[..19])
        })
        .collect();
    let text = format!(
        "+++\ntitle = \"Long\"\ndate = 2026-11-26\n+++\n{}\n",
        words.join("\n\n")
    );
    press.article("food/long.md", &text);
}

#[test]
fn a_disk_that_is_full_leaves_what_was_published_complete() {
    let press = Press::new();
    // The namespace's own disk goes away with it: both builds happen inside.
    fs::create_dir(press.path("public")).unwrap();
    grow(&press, 300);
    fs::rename(press.path("content/food/long.md"), press.path("long.md")).unwrap();
    // Whatever is left on the disk.
    let script = "
        mount -t tmpfs -o size=64m none public
        \"$LETTERPRESS\" --at 2026-11-27T08:00:00+02:00 build >&2
        before=$(find public -type f | sort | xargs sha256sum)
        used=$(df -k --output=used public | tail -1)
        cp long.md content/food/long.md
        for room in 0 12 100 350 800 1500; do
            mount -o remount,size=$((used + room))k public
            set +e
            \"$LETTERPRESS\" --at 2026-11-27T09:00:00+02:00 build
            echo \"$room: exit $?\"
            set -e
            after=$(find public -type f | sort | xargs sha256sum)
            test \"$before\" = \"$after\" && echo complete
            ls -A public | grep -c letterpress || true
        done
        mount -o remount,size=64m public
        \"$LETTERPRESS\" --at 2026-11-27T09:00:00+02:00 build >&2
        rm content/food/long.md
        \"$LETTERPRESS\" --at 2026-11-27T10:00:00+02:00 build >&2
    ";
    let told = press.script_in_own_mounts(script).wait();
    told.succeeds()
        .says("No space left on device")
        .says("public/")
        .says("hint: what was published before is complete");
    for room in [0, 12, 100, 350, 800, 1500] {
        told.prints(&format!("{room}: exit 74\ncomplete\n0\n"));
    }
}

#[test]
fn a_file_size_limit_leaves_what_was_published_complete() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let before = public(&press);
    grow(&press, 450);
    let limited = press
        .spawn_under(&["prlimit", "--fsize=400000", "--"], &["build"])
        .wait();
    limited.exits(74).says("File too large").says("public/");
    assert_eq!(public(&press), before);
    press.run(&["build"]).succeeds().prints("changed  rss.xml");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let press = Press::new();
    press.write("public", "a file");
    let refused = press.run(&["build"]);
    refused.exits(74).says("/public cannot be written");
    fs::remove_file(press.path("public")).unwrap();
    fs::create_dir(press.path("public")).unwrap();
    let script = "mount -t tmpfs -o ro none public; \"$LETTERPRESS\" build";
    press
        .script_in_own_mounts(script)
        .wait()
        .exits(74)
        .says("public/")
        .says("Read-only file system");
}

#[test]
fn builds_at_the_same_time_wait_for_each_other() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    let builds: Vec<Running> = (0..6)
        .map(|number| {
            press.article(
                &format!("food/extra-{number}.md"),
                &format!("+++\ntitle = \"Extra {number}\"\ndate = 2026-11-21\n+++\nMore.\n"),
            );
            press.spawn(&["build"])
        })
        .collect();
    for build in builds {
        build.wait().succeeds();
    }
    // Whichever came last had read everything.
    press
        .run(&["build"])
        .succeeds()
        .says("0 new files, 0 changed");
    assert!(press.read("public/rss.xml").contains("Extra 5"));
}

#[test]
fn a_build_that_is_killed_is_made_good_by_the_next() {
    let press = Press::new();
    press.run(&["build"]).succeeds();
    for round in 0..24 {
        if round % 2 == 0 {
            grow(&press, 60 + round);
        } else {
            fs::remove_file(press.path("content/food/long.md")).unwrap();
        }
        let build = press.spawn(&["build"]);
        thread::sleep(Duration::from_millis(4 * round as u64));
        build.kill();
        for (name, bytes) in public(&press) {
            let is_whole = !name.starts_with("rss.xml") || bytes.len() > 1024;
            assert!(is_whole, "{name} has {} bytes", bytes.len());
        }
    }
    press.run(&["build"]).succeeds();
    let fresh = tempfile::tempdir().unwrap();
    let out = fresh.path().to_str().unwrap();
    press.run(&["build", "--out", out]).succeeds();
    assert_eq!(public(&press), snapshot(fresh.path()));
    // Nothing is orphaned either: all of it is still known to be ours.
    fs::remove_dir_all(press.path("content/garden")).unwrap();
    press.run(&["build"]).succeeds();
    let left = press.files("public");
    assert!(!left.iter().any(|name| name.contains("garden")), "{left:?}");
}

#[test]
fn bad_settings_and_doubled_addresses_stop_before_anything_is_written() {
    let press = Press::new();
    for (key, value, said) in [
        ("publication.base_url", "garden.example.org", "absolute URL"),
        (
            "feeds.hub",
            "ftp://hub.example.net/",
            "not by http or https",
        ),
        ("feeds.hub", "hub.example.net", "is no URL"),
        ("feeds.hub", "https://name:secret@hub.example.net/", "login"),
        ("feeds.content", "half", "full"),
        (
            "content.permalink",
            "/{section}/",
            "no pattern of an address",
        ),
    ] {
        let good = press.read("letterpress.toml");
        press.set(key, value);
        press
            .run(&["build"])
            .exits(78)
            .says(said)
            .conceals("secret");
        press.write("letterpress.toml", &good);
    }
    let good = press.read("letterpress.toml");
    press.config(|settings| {
        let names = toml::Value::try_from(["gzip"]).unwrap();
        settings["content"]
            .as_table_mut()
            .unwrap()
            .insert("compress".to_owned(), names);
    });
    press
        .run(&["build"])
        .exits(78)
        .says("content.compress has `gzip`");
    press.write("letterpress.toml", &good);
    press.set("feeds.entries", 0);
    press
        .run(&["build"])
        .exits(78)
        .says("feeds.entries is 0; use 1 to 10000");
    press.write("letterpress.toml", &good);
    press.article(
        "food/twin.md",
        "+++\ntitle = \"Twin\"\nslug = \"apricots\"\ndate = 2026-11-20\n+++\nTwice.\n",
    );
    press.run(&["build"]).exits(65).says("apricots");
    assert_eq!(press.files("public"), [""; 0]);
}

#[test]
fn faults_of_articles_are_told_by_their_line_and_stop_before_anything_is_written() {
    let press = Press::new();
    press.write("content/food/no.png", "not a picture");
    for (front_matter, said) in [
        (
            "enclosure = \"none.mp3\"",
            ":4: error: there is no file `none.mp3`",
        ),
        (
            "hero = \"no.png\"",
            ":4: error: `no.png` is not a JPEG, PNG",
        ),
        (
            "hero = \"none.png\"",
            ":4: error: there is no picture `none.png`",
        ),
        ("path = \"/food/apricots/\"", ":2: error: the address"),
        ("path = \"/food/\"", "is also that of a section"),
        ("path = \"/atom.xml\"", "/atom.xml/ is that of a feed"),
        (
            "withdrawn = \"someday\"",
            ":4: error: `someday` is not a date",
        ),
        (
            "title = \"Twice\"",
            ":4: error: the front matter is not TOML",
        ),
        ("nothing", ":4: error: the front matter is not TOML"),
    ] {
        let text = format!("+++\ntitle = \"A\"\ndate = 2026-11-20\n{front_matter}\n+++\nText.\n");
        press.article("food/faulty.md", &text);
        press
            .run(&["build"])
            .exits(65)
            .says("content/food/faulty.md")
            .says(said)
            .says("nothing was published or sent");
        assert_eq!(press.files("public"), [""; 0], "{front_matter}");
    }
    for (yaml, said) in [
        (
            "  date: 2026-11-20",
            ":3: error: the front matter is not YAML",
        ),
        (
            "title: B",
            ":3: error: the front matter is not YAML: duplicate mapping key: title;",
        ),
        ("date: soon", ":3: error: `soon` is not a date"),
    ] {
        let text = format!("---\ntitle: A\n{yaml}\n---\nText.\n");
        press.article("food/faulty.md", &text);
        press.run(&["build"]).exits(65).says(said);
    }
}

#[test]
fn an_old_address_never_takes_the_place_of_a_feed_or_of_a_picture() {
    let press = Press::new();
    press.article(
        "food/moved.md",
        "+++\ntitle = \"Moved\"\ndate = 2026-11-20\naliases = [\"/rss.xml\", \"/atom.xml/\", \"/style.css\", \
         \"/sections/food/feed.json\", \"/feed.xml\", \"/old.html\", \"/old.html/more\"]\n+++\nText.\n",
    );
    press.run(&["build"]).succeeds();
    for feed in ["rss.xml", "atom.xml", "sections/food/feed.json"] {
        assert!(
            press.read(&format!("public/{feed}")).contains("Moved"),
            "{feed}"
        );
    }
    for page in ["feed.xml/index.html", "old.html"] {
        let text = press.read(&format!("public/{page}"));
        assert!(text.contains("/food/moved/"), "{text}");
    }
    // What two parts of the program would make in one place is told before
    // anything takes its place.
    let before = public(&press);
    press.article(
        "food/moved.md",
        "+++\ntitle = \"Moved\"\ndate = 2026-11-20\naliases = [\"/food/apricots.png\"]\n+++\nOther text.\n",
    );
    press
        .run(&["build"])
        .exits(65)
        .says("`food/apricots.png` would have to be a file and a folder");
    assert_eq!(public(&press), before);
}
