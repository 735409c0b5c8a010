//! Archives made by hand: what is accepted, what is refused and by which code, and that others read what we read.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::testing::{Tar, gzip};

mod corpus;

/// Unpacks `bytes` and gives the folder it was done in.
fn run(bytes: &[u8], limits: &Limits) -> (TempDir, Result<(), UnpackError>) {
    let temp = tempfile::tempdir().unwrap();
    let archive = temp.path().join("a.tar.gz");
    fs::write(&archive, bytes).unwrap();
    let outcome = unpack(&archive, &temp.path().join("files"), "demo", limits);
    (temp, outcome)
}

fn code(bytes: &[u8]) -> &'static str {
    let (temp, outcome) = run(bytes, &Limits::DEFAULT);
    let outside: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "something was written outside: {outside:?}");
    outcome.map_or_else(|error| error.code(), |()| "accepted")
}

fn demo() -> Tar {
    Tar::default().file("demo", b"#!/bin/sh\n")
}

#[test]
fn files_and_folders_are_unpacked_with_plain_modes() {
    let tar = Tar::default()
        .entry("./", b'5', 0o700, b"")
        .entry("./demo", b'0', 0o644, b"#!/bin/sh\n")
        .entry("lib/deep/data.bin", b'0', 0o666, &[7; 100_000])
        .entry("lib/", b'5', 0o777, b"")
        .entry("lib/run", b'\0', 0o777, b"x");
    let (temp, outcome) = run(&tar.gzipped(), &Limits::DEFAULT);
    outcome.unwrap();
    let files = temp.path().join("files");
    let mode = |path: &str| fs::metadata(files.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("demo"), 0o755, "the executable always is one");
    assert_eq!(mode("lib/deep/data.bin"), 0o644);
    assert_eq!(mode("lib/run"), 0o755);
    assert_eq!(mode("lib"), 0o755);
    assert_eq!(fs::read(files.join("lib/deep/data.bin")).unwrap(), [7; 100_000]);
}

#[test]
fn names_that_leave_the_folder_or_mean_two_things_are_refused() {
    for (path, expected) in [
        ("/etc/x", "archive::escaping-path"),
        ("../x", "archive::escaping-path"),
        ("a/../../x", "archive::escaping-path"),
        ("./../x", "archive::escaping-path"),
        ("a//b", "archive::bad-path"),
        ("a/./b", "archive::bad-path"),
        ("././a", "archive::bad-path"),
        ("a/", "archive::bad-path"),
        ("", "archive::bad-path"),
        ("a\\b", "archive::bad-path"),
        ("c:x", "archive::bad-path"),
        ("a\x1b[2J", "archive::bad-path"),
        ("n\u{e4}me", "archive::bad-path"),
        ("dots./x", "archive::bad-path"),
        (&"d/".repeat(40), "archive::bad-path"),
        ("demo", "archive::duplicate-path"),
        ("DEMO", "archive::duplicate-path"),
        ("demo/below", "archive::duplicate-path"),
        ("Demo/below", "archive::duplicate-path"),
    ] {
        assert_eq!(code(&demo().file(path, b"x").gzipped()), expected, "{path:?}");
    }
    let spelt_twice = demo().file("Lib/a", b"").file("lib/b", b"");
    assert_eq!(code(&spelt_twice.gzipped()), "archive::duplicate-path");
    let folder_twice = demo().entry("lib/", b'5', 0o755, b"").entry("lib", b'5', 0o755, b"");
    assert_eq!(code(&folder_twice.gzipped()), "archive::duplicate-path");
    let folder_over_file = demo().entry("demo/", b'5', 0o755, b"");
    assert_eq!(code(&folder_over_file.gzipped()), "archive::duplicate-path");
    let long = "p".repeat(90);
    let mut header = Tar::header(long.as_bytes(), b'0', 0o644, 0);
    header.as_mut_bytes()[345..348].copy_from_slice(b"../");
    header.set_cksum();
    assert_eq!(code(&demo().raw(&header, b"").gzipped()), "archive::escaping-path", "the prefix counts");
}

#[test]
fn only_files_and_folders_are_accepted() {
    for kind in b"123467ASVMNKLDZ?" {
        let mut header = Tar::header(b"other", *kind, 0o644, 0);
        header.set_link_name("demo").unwrap();
        header.set_cksum();
        let tar = demo().raw(&header, b"");
        assert_eq!(code(&tar.gzipped()), "archive::entry-kind", "kind {:?}", char::from(*kind));
    }
    // The classic: a link to somewhere, then a file through it.
    let mut link = Tar::header(b"dir", b'2', 0o777, 0);
    link.set_link_name("/tmp").unwrap();
    link.set_cksum();
    assert_eq!(code(&demo().raw(&link, b"").file("dir/x", b"x").gzipped()), "archive::entry-kind");
}

#[test]
fn special_modes_are_refused() {
    for mode in [0o4755, 0o2755, 0o1777] {
        assert_eq!(code(&Tar::default().entry("demo", b'0', mode, b"x").gzipped()), "archive::mode");
        assert_eq!(code(&demo().entry("dir", b'5', mode, b"").gzipped()), "archive::mode");
    }
}

fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let length = (1..).find(|length: &usize| length.to_string().len() + rest.len() == *length).unwrap();
    format!("{length}{rest}").into_bytes()
}

#[test]
fn extended_headers_may_only_say_what_changes_nothing() {
    let with = |kind: u8, records: &[u8]| {
        let size = records.len() as u64;
        Tar::default().raw(&Tar::header(b"PaxHeaders/demo", kind, 0o644, size), records).file("demo", b"x")
    };
    let harmless = [record("mtime", "1.5"), record("comment", "c0ffee")].concat();
    assert_eq!(code(&with(b'x', &harmless).gzipped()), "accepted");
    assert_eq!(code(&with(b'g', &harmless).gzipped()), "accepted");
    for key in [
        "path",
        "linkpath",
        "size",
        "GNU.sparse.name",
        "GNU.sparse.realsize",
        "SCHILY.xattr.security.capability",
        "hdrcharset",
        "mtime\0",
    ] {
        assert_eq!(code(&with(b'x', &record(key, "512")).gzipped()), "archive::extended-header", "{key:?}");
        assert_eq!(code(&with(b'g', &record(key, "512")).gzipped()), "archive::extended-header", "{key:?}");
    }
    for broken in [
        "6 mtime=1\n",
        "99 mtime=1\n",
        "x",
        "+9 mtime=1\n",
        "09 mtime=1\n",
        "10 mtime=11",
        "\0\0\0",
        "7 mtime\n",
        "99999999999999999999 a=b\n",
    ] {
        assert_eq!(code(&with(b'x', broken.as_bytes()).gzipped()), "archive::extended-header", "{broken:?}");
    }
    // Two in a row, one before a long name, and one before the end: programs differ on what it then belongs to.
    let header = Tar::header(b"x", b'x', 0o644, harmless.len() as u64);
    let long = Tar::header(b"././@LongLink", b'L', 0o644, 5);
    assert_eq!(
        code(&demo().raw(&header, &harmless).raw(&header, &harmless).file("b", b"").gzipped()),
        "archive::extended-header"
    );
    assert_eq!(
        code(&demo().raw(&header, &harmless).raw(&long, b"evil\0").file("b", b"").gzipped()),
        "archive::entry-kind"
    );
    assert_eq!(code(&demo().raw(&header, &harmless).gzipped()), "archive::extended-header");
    let huge = vec![b'a'; 70 << 10];
    assert_eq!(code(&with(b'x', &huge).gzipped()), "archive::extended-header");
}

#[test]
fn headers_that_programs_read_differently_are_refused() {
    let edit = |edit: &dyn Fn(&mut [u8; 512])| {
        let mut header = Tar::header(b"demo", b'0', 0o755, 1);
        edit(header.as_mut_bytes());
        header.set_cksum();
        code(&Tar::default().raw(&header, b"x").gzipped())
    };
    assert_eq!(edit(&|_| {}), "accepted");
    assert_eq!(edit(&|h| h[257..265].copy_from_slice(b"ustar  \0")), "accepted");
    assert_eq!(edit(&|h| h[257..265].fill(0)), "archive::header-format");
    assert_eq!(edit(&|h| h[257..265].copy_from_slice(b"ustar\x0099")), "archive::header-format");
    let gnu_with_prefix = |h: &mut [u8; 512]| {
        h[257..265].copy_from_slice(b"ustar  \0");
        h[345] = b'x';
    };
    assert_eq!(edit(&gnu_with_prefix), "archive::header-format");
    assert_eq!(edit(&|h| h[124..136].copy_from_slice(b"0000000000x\0")), "archive::damaged");
    assert_eq!(edit(&|h| h[124..136].copy_from_slice(b"-0000000001\0")), "archive::damaged");
    assert_eq!(edit(&|h| h[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\0\x01")), "archive::size");
    assert_eq!(edit(&|h| h[124..136].fill(0)), "archive::damaged");
    for field in [108, 116, 136, 329, 337] {
        assert_eq!(edit(&|h| h[field + 2] = b'/'), "archive::header-format", "the field at {field}");
    }
    let mut bad_sum = Tar::header(b"demo", b'0', 0o755, 1);
    bad_sum.as_mut_bytes()[0] = b'D';
    assert_eq!(code(&Tar::default().raw(&bad_sum, b"x").gzipped()), "archive::damaged");
    let folder_with_content = demo().entry("dir", b'5', 0o755, b"hidden");
    assert_eq!(code(&folder_with_content.gzipped()), "archive::size");
}

#[test]
fn the_stream_must_be_one_gzip_member_with_one_archive() {
    let good = demo().gzipped();
    assert_eq!(code(&good), "accepted");
    assert_eq!(code(&[good.clone(), vec![0]].concat()), "archive::trailing-bytes");
    assert_eq!(code(&[good.clone(), good.clone()].concat()), "archive::trailing-bytes");
    assert_eq!(code(&gzip(&[demo().end(), demo().end()].concat())), "archive::trailing-bytes");
    let mut after_end = demo().end();
    after_end.push(1);
    assert_eq!(code(&gzip(&after_end)), "archive::trailing-bytes");
    for length in 0..good.len() {
        assert_eq!(code(&good[..length]), "archive::damaged", "cut to {length} of {}", good.len());
    }
    let mut wrong_sum = good.clone();
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    assert_eq!(code(&wrong_sum), "archive::damaged");
    assert_eq!(code(b"PK\x03\x04 a zip file"), "archive::damaged");
    assert_eq!(code(&demo().end()), "archive::damaged");
    let cut_content = demo().raw(&Tar::header(b"b", b'0', 0o644, 5000), b"short").0;
    assert_eq!(code(&gzip(&cut_content)), "archive::damaged");
}

#[test]
fn limits_hold() {
    assert_eq!(code(&demo().file("zeros", &vec![0; 16 << 20]).gzipped()), "archive::ratio");
    let small = Limits { entries: 3, file: 4096, total: 8192, ratio: 200 };
    let with = |tar: Tar| run(&tar.gzipped(), &small).1.map_or_else(|error| error.code(), |()| "accepted");
    assert_eq!(with(demo().file("a", b"").file("b", b"")), "accepted");
    assert_eq!(with(demo().file("a", b"").file("b", b"").file("c", b"")), "archive::too-many-entries");
    assert_eq!(with(demo().file("a", &[1; 4097])), "archive::too-large");
    assert_eq!(with(demo().file("a", &[1; 4096]).file("b", &[1; 4096])), "archive::too-large");
    // Said, but not there: refused by what is said, before anything is reserved or written.
    let boast = demo().raw(&Tar::header(b"a", b'0', 0o644, 1 << 30), b"");
    assert_eq!(code(&boast.gzipped()), "archive::too-large");
}

#[test]
fn the_executable_must_be_there() {
    assert_eq!(code(&Tar::default().file("other", b"x").gzipped()), "archive::no-executable");
    assert_eq!(code(&Tar::default().file("bin/demo", b"x").gzipped()), "archive::no-executable");
    assert_eq!(code(&Tar::default().file("Demo", b"x").gzipped()), "archive::no-executable");
    assert_eq!(code(&Tar::default().entry("demo", b'5', 0o755, b"").gzipped()), "archive::no-executable");
    assert_eq!(code(&Tar::default().file("demo", b"").gzipped()), "archive::no-executable");
    assert_eq!(code(&Tar::default().gzipped()), "archive::no-executable");
}

/// The paths of the files below `root`.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(folder).unwrap() {
            let item = item.unwrap();
            match item.file_type().unwrap().is_dir() {
                true => folders.push(item.path()),
                false => {
                    found.insert(item.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
    }
    found
}

/// What another program finds in the archive that is no directory of `ours`; `None` if it is not installed.
fn listing(program: &[&str], archive: &Path, ours: &Path) -> Option<BTreeSet<String>> {
    let output = Command::new(program[0]).args(&program[1..]).arg(archive).output().ok()?;
    assert!(output.status.success(), "{program:?} refuses what we accept: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.lines().map(|line| line.strip_prefix("./").unwrap_or(line));
    // GNU tar writes a directory with a slash at its end only if its header has one.
    Some(paths.filter(|path| !path.ends_with('/') && !ours.join(path).is_dir()).map(str::to_owned).collect())
}

const PYTHON: &str =
    "import sys,tarfile\nfor m in tarfile.open(sys.argv[1]).getmembers(): print(m.name + ('/' if m.isdir() else ''))";

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Headers are changed at random and get a right checksum again: whatever we then accept, GNU tar and Python's
    /// tarfile list the same files.
    #[test]
    fn what_is_accepted_reads_the_same_everywhere(
        changes in proptest::collection::vec((0usize..3, 0usize..512, prop_oneof![any::<u8>(), Just(0), Just(b'/'), Just(b'0'), Just(b' ')]), 0..4),
    ) {
        let mut tar = Tar::default().file("demo", b"x").entry("lib/", b'5', 0o755, b"").file("lib/data", b"content").0;
        for (entry, at, byte) in changes {
            let start = [0, 1024, 1536][entry];
            tar[start + at] = byte;
            let sum: u32 = tar[start..start + 512].iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
            tar[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let (temp, outcome) = run(&Tar(tar).gzipped(), &Limits::DEFAULT);
        if outcome.is_ok() {
            let ours = files(&temp.path().join("files"));
            let archive = temp.path().join("a.tar.gz");
            for program in [&["tar", "-tzf"][..], &["python3", "-c", PYTHON][..]] {
                if let Some(theirs) = listing(program, &archive, &temp.path().join("files")) {
                    prop_assert_eq!(&theirs, &ours, "{}", program[0]);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic_or_write_outside(noise in proptest::collection::vec(any::<u8>(), 0..2000), at in 0usize..3000) {
        let mut tar = demo().file("lib/data", b"content").end();
        let end = tar.len().min(at + noise.len());
        if at < end {
            tar[at..end].copy_from_slice(&noise[..end - at]);
        }
        code(&gzip(&tar));
        code(&noise);
    }
}
