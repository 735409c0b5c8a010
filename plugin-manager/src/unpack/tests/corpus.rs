//! Archives, good and bad, as three programs read them: what we accept, GNU tar and Python's tarfile list alike; where
//! those two differ, we refuse.

use super::*;

/// How the three read an archive.
#[derive(Debug)]
struct Read {
    /// `Err` with the code of the refusal.
    ours: Result<BTreeSet<String>, &'static str>,
    /// `None` if the program refuses.
    tar: Option<BTreeSet<String>>,
    python: Option<BTreeSet<String>>,
}

fn read(bytes: &[u8]) -> Read {
    let (temp, outcome) = run(bytes, &Limits::DEFAULT);
    let archive = temp.path().join("a.tar.gz");
    // Directories are not compared: an archive need not name them, and ours have no slash.
    let theirs = |program: &[&str]| {
        let output = Command::new(program[0]).args(&program[1..]).arg(&archive).output();
        let output = output.unwrap_or_else(|error| panic!("{} is needed for this test: {error}", program[0]));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let paths = text.lines().map(|line| line.strip_prefix("./").unwrap_or(line));
        let files = paths.filter(|path| !path.is_empty() && !path.ends_with('/')).map(str::to_owned).collect();
        output.status.success().then_some(files)
    };
    Read {
        ours: outcome.map(|()| files(&temp.path().join("files"))).map_err(|error| error.code()),
        tar: theirs(&["tar", "--list", "--quoting-style=escape", "--gzip", "--file"]),
        python: theirs(&["python3", "-c", PYTHON]),
    }
}

/// An extended header with these records, before whatever comes next.
fn extended(tar: Tar, kind: u8, records: &[u8]) -> Tar {
    tar.raw(&Tar::header(b"PaxHeaders/x", kind, 0o644, records.len() as u64), records)
}

fn link(path: &str, kind: u8, target: &str) -> tar::Header {
    let mut header = Tar::header(path.as_bytes(), kind, 0o777, 0);
    header.set_link_name_literal(target).unwrap();
    header.set_cksum();
    header
}

fn header(path: &str, size: u64, edit: impl FnOnce(&mut [u8; 512])) -> tar::Header {
    let mut header = Tar::header(path.as_bytes(), b'0', 0o644, size);
    edit(header.as_mut_bytes());
    header.set_cksum();
    header
}

/// What everybody reads alike.
fn good() -> Vec<(&'static str, Vec<u8>)> {
    let harmless = [record("mtime", "1.5"), record("comment", "c0ffee"), record("uname", "me")].concat();
    let gnu = |h: &mut [u8; 512]| h[257..265].copy_from_slice(b"ustar  \0");
    let below = |h: &mut [u8; 512]| h[345..353].copy_from_slice(b"lib/deep");
    let owner = |h: &mut [u8; 512]| {
        h[265..270].copy_from_slice(b"owner");
        h[297..302].copy_from_slice(b"group");
    };
    let blanks = |h: &mut [u8; 512]| h[124..136].copy_from_slice(b"         1 \0");
    let large_owner = |h: &mut [u8; 512]| h[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]);
    let mut cut_short = demo().0;
    cut_short.resize(cut_short.len() + 512, 0);
    vec![
        ("one file", demo().gzipped()),
        ("a dot in front", Tar::default().entry("./", b'5', 0o755, b"").file("./demo", b"x").gzipped()),
        ("a folder of its own", demo().entry("lib/", b'5', 0o755, b"").file("lib/a", b"a").gzipped()),
        ("a folder without an entry", demo().file("lib/deep/a", b"a").gzipped()),
        ("a folder after its file", demo().file("lib/a", b"a").entry("lib/", b'5', 0o755, b"").gzipped()),
        ("the older kind of file", demo().entry("old", b'\0', 0o644, b"x").gzipped()),
        ("an empty file", demo().file("empty", b"").gzipped()),
        ("exactly one block", demo().file("block", &[7; 512]).gzipped()),
        ("many blocks", demo().file("blocks", &[7; 70_001]).gzipped()),
        ("a long name", demo().file(&"n".repeat(100), b"x").gzipped()),
        ("a name in two parts", demo().raw(&header("data", 1, below), b"x").gzipped()),
        ("a header of GNU tar", demo().raw(&header("gnu", 1, gnu), b"x").gzipped()),
        ("an owner", demo().raw(&header("owned", 1, owner), b"x").gzipped()),
        ("an owner with a large number", demo().raw(&header("owned", 1, large_owner), b"x").gzipped()),
        ("blanks before a number", demo().raw(&header("blanks", 1, blanks), b"x").gzipped()),
        ("extended, harmless", extended(demo(), b'x', &harmless).file("next", b"x").gzipped()),
        ("extended for all, harmless", extended(demo(), b'g', &harmless).file("next", b"x").gzipped()),
        ("names with dots and signs", demo().file("a.b-c_d+e@f", b"x").file("...a", b"x").gzipped()),
        ("more zeros at the end", gzip(&[demo().end(), vec![0; 20 << 10]].concat())),
        ("half an end", gzip(&cut_short)),
    ]
}

/// What one of the three could read differently, or must not be unpacked at all.
fn bad() -> Vec<(&'static str, Vec<u8>)> {
    let long_link = |name: &[u8]| Tar::header(b"././@LongLink", b'L', 0o644, name.len() as u64);
    let size_over = extended(demo(), b'x', &record("size", "1024"));
    let hidden = Tar::default().file("hidden", b"x").0;
    let two_numbers = [record("size", "0"), record("size", "1024")].concat();
    let gnu_prefix = |h: &mut [u8; 512]| {
        h[257..265].copy_from_slice(b"ustar  \0");
        h[345..349].copy_from_slice(b"evil");
    };
    let no_magic = |h: &mut [u8; 512]| {
        h[257..265].fill(0);
        h[345..349].copy_from_slice(b"evil");
    };
    let binary_size = |h: &mut [u8; 512]| h[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\x02\0");
    let negative = |h: &mut [u8; 512]| h[124..136].copy_from_slice(b"-0000000001\0");
    let decimal = |h: &mut [u8; 512]| h[124..136].copy_from_slice(b"00000000009\0");
    let nul_in_size = |h: &mut [u8; 512]| h[124..136].copy_from_slice(b"1\x000000000000");
    let control = |h: &mut [u8; 512]| h[..4].copy_from_slice(b"a\nb\0");
    let escape = |h: &mut [u8; 512]| h[345..347].copy_from_slice(b"..");
    let mut wrong_sum = demo().0;
    wrong_sum[148] ^= 1;
    let good = demo().gzipped();
    vec![
        (
            "a symbolic link, then a file through it",
            demo().raw(&link("dir", b'2', "/tmp"), b"").file("dir/x", b"x").gzipped(),
        ),
        (
            "a link, then a folder of that name",
            demo().raw(&link("dir", b'2', "/tmp"), b"").entry("dir/", b'5', 0o755, b"").gzipped(),
        ),
        ("a hard link outward", demo().raw(&link("hard", b'1', "/etc/passwd"), b"").gzipped()),
        (
            "a hard link with content",
            demo()
                .raw(
                    &{
                        let mut h = link("hard", b'1', "demo");
                        h.set_size(1);
                        h.set_cksum();
                        h
                    },
                    b"x",
                )
                .gzipped(),
        ),
        ("a device", demo().entry("dev", b'3', 0o644, b"").gzipped()),
        ("a pipe", demo().entry("pipe", b'6', 0o644, b"").gzipped()),
        ("a sparse file", demo().entry("sparse", b'S', 0o644, b"").gzipped()),
        ("a dump of a folder", demo().entry("dump", b'D', 0o644, b"Yx\0\0").gzipped()),
        ("a label", demo().entry("label", b'V', 0o644, b"").gzipped()),
        ("a part of another volume", demo().entry("part", b'M', 0o644, b"x").gzipped()),
        ("an unknown kind", demo().entry("what", b'Z', 0o644, b"x").gzipped()),
        ("a name that leaves", demo().file("../x", b"x").gzipped()),
        ("a name from the root", demo().file("/x", b"x").gzipped()),
        ("a name that leaves by its prefix", demo().raw(&header("x", 1, escape), b"x").gzipped()),
        ("a name with a line break", demo().raw(&header("abcd", 1, control), b"x").gzipped()),
        ("a file with a slash at its end", demo().file("x/", b"").gzipped()),
        ("one name twice", demo().file("a", b"1").file("a", b"2").gzipped()),
        ("one name in two cases", demo().file("a", b"1").file("A", b"2").gzipped()),
        ("a file below a file", demo().file("demo/x", b"1").gzipped()),
        ("a size overridden", size_over.raw(&header("big", 0, |_| {}), &[&hidden[..], &[0; 512]].concat()).gzipped()),
        (
            "a size overridden twice",
            extended(demo(), b'x', &two_numbers).raw(&header("big", 0, |_| {}), &hidden).gzipped(),
        ),
        (
            "a size overridden for all",
            extended(demo(), b'g', &record("size", "1024")).raw(&header("big", 0, |_| {}), &hidden).gzipped(),
        ),
        ("a path overridden", extended(demo(), b'x', &record("path", "../x")).file("next", b"x").gzipped()),
        ("a sparse name", extended(demo(), b'x', &record("GNU.sparse.name", "other")).file("next", b"x").gzipped()),
        ("a character set", extended(demo(), b'x', &record("hdrcharset", "BINARY")).file("next", b"x").gzipped()),
        (
            "an attribute",
            extended(demo(), b'x', &record("SCHILY.xattr.security.capability", "x")).file("next", b"x").gzipped(),
        ),
        ("a record of the wrong length", extended(demo(), b'x', b"99 path=x\n").file("next", b"x").gzipped()),
        (
            "extended, then a long name",
            extended(demo(), b'x', &record("mtime", "1"))
                .raw(&long_link(b"evil\0"), b"evil\0")
                .file("next", b"x")
                .gzipped(),
        ),
        (
            "a long name, then extended",
            extended(demo().raw(&long_link(b"evil\0"), b"evil\0"), b'x', &record("mtime", "1"))
                .file("next", b"x")
                .gzipped(),
        ),
        ("a long name", demo().raw(&long_link(b"evil\0"), b"evil\0").file("next", b"x").gzipped()),
        ("a long name without an end", demo().raw(&long_link(b"evil"), b"evil").file("next", b"x").gzipped()),
        ("extended at the end", extended(demo(), b'x', &record("mtime", "1")).gzipped()),
        ("a prefix in a header of GNU tar", demo().raw(&header("x", 1, gnu_prefix), b"x").gzipped()),
        ("a prefix without a format", demo().raw(&header("x", 1, no_magic), b"x").gzipped()),
        ("a binary size", demo().raw(&header("x", 512, binary_size), &hidden[..512]).gzipped()),
        ("a negative size", demo().raw(&header("x", 1, negative), b"x").gzipped()),
        ("a size that is no number", demo().raw(&header("x", 1, decimal), b"x").gzipped()),
        ("a size behind its end", demo().raw(&header("x", 1, nul_in_size), b"x").gzipped()),
        ("a folder with content", demo().entry("dir/", b'5', 0o755, &hidden[..512]).gzipped()),
        ("a wrong sum", gzip(&Tar(wrong_sum).end())),
        ("a second archive behind the end", gzip(&[demo().end(), Tar::default().file("second", b"x").end()].concat())),
        ("a second member", [good.clone(), Tar::default().file("second", b"x").gzipped()].concat()),
        ("bytes behind the end", [good.clone(), vec![1; 10]].concat()),
        ("cut in the content", gzip(&demo().raw(&Tar::header(b"b", b'0', 0o644, 5000), b"short").0)),
        ("cut in the compression", good[..good.len() - 5].to_vec()),
        ("not compressed", demo().end()),
        ("nothing", Vec::new()),
    ]
}

#[test]
fn what_is_accepted_is_listed_alike_by_all_three() {
    let archives = good();
    for (name, bytes) in &archives {
        let Read { ours, tar, python } = read(bytes);
        let ours = ours.unwrap_or_else(|code| panic!("{name}: refused, {code}"));
        assert_eq!(tar.as_ref(), Some(&ours), "{name}: GNU tar");
        assert_eq!(python.as_ref(), Some(&ours), "{name}: tarfile");
    }
    assert!(archives.len() >= 20, "{}", archives.len());
}

#[test]
fn what_could_be_read_differently_is_refused() {
    let archives = bad();
    let mut differing = 0;
    for (name, bytes) in &archives {
        let Read { ours, tar, python } = read(bytes);
        assert!(ours.is_err(), "{name}: accepted, tar {tar:?}, tarfile {python:?}");
        differing += usize::from(tar != python);
    }
    assert!(archives.len() >= 40, "{}", archives.len());
    // Without such archives the test would say nothing of what it is named after.
    assert!(differing >= 5, "GNU tar and tarfile differ on {differing} only");
}
