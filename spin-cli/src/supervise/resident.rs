//! The memory that `spin` has while its app runs.
//!
//! To start an app takes most of the program's code and constants, to wait for its triggers next to nothing. What was used once
//! stays mapped and counts as this process's memory, 5 MB of 7, until the kernel needs it for others. So it is let go of when
//! there is nothing left to do but wait; the file's own pages stay in the kernel's cache as long as there is room for them, and
//! what is needed again is mapped again.

use std::ops::Range;
use std::path::Path;
use std::{fs, io};

use super::spawn::unmap_pages;

/// A map of the program's code or constants, of which no page is anything but the file's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pages(Range<usize>);

impl Pages {
    /// Where it is.
    pub(super) fn addresses(&self) -> Range<usize> {
        self.0.clone()
    }
}

/// Lets go of the program's code and constants.
///
/// # Errors
/// The kernel's. The process has more memory than it needs then, and nothing else is different.
pub(super) fn let_go_of_program() -> io::Result<()> {
    let program = fs::read_link("/proc/self/exe")?;
    program_pages(&fs::read_to_string("/proc/self/smaps")?, &program).iter().try_for_each(unmap_pages)
}

/// Those of `program`, by what `/proc/<pid>/smaps` says: a line for each map, and below it lines about its memory.
fn program_pages(maps: &str, program: &Path) -> Vec<Pages> {
    let (mut found, mut map) = (Vec::new(), None);
    for line in maps.lines() {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            // A page that was written to is the process's own, in memory or not.
            "Anonymous:" | "Swap:" if rest.trim() != "0 kB" => map = None,
            // The last of the two.
            "Swap:" => found.extend(map.take().map(Pages)),
            _ if name.ends_with(':') => {}
            addresses => map = unwritable(addresses, rest, program),
        }
    }
    found
}

/// The addresses of a map, if it is of `program` and can't be written to.
fn unwritable(addresses: &str, rest: &str, program: &Path) -> Option<Range<usize>> {
    // The offset, the device and the inode, and then the path, which may have spaces.
    let path = rest.strip_prefix("r-xp ").or_else(|| rest.strip_prefix("r--p "))?.splitn(4, ' ').nth(3)?.trim_start();
    let (start, end) = addresses.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    (Path::new(path) == program).then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_what_of_the_program_is_as_in_its_file_and_stays_so_is_let_go_of() {
        let map = |addresses: &str, rights: &str, path: &str, own: &str, swapped: &str| {
            format!(
                "{addresses} {rights} 00200000 fe:00 421                        {path}\nSize:  8 kB\nAnonymous: {own} kB\n\
                 Swap:  {swapped} kB\nSwapPss: 0 kB\nVmFlags: rd ex\n"
            )
        };
        let maps = [
            map("55d0c8a00000-55d0c8c00000", "r--p", "/opt/a b/spin", "0", "0"),
            map("55d0c8c00000-55d0c9200000", "r-xp", "/opt/a b/spin", "        0", "0"),
            map("55d0c9200000-55d0c9210000", "r-xp", "/opt/a b/spin", "        4", "0"),
            map("55d0c9210000-55d0c9220000", "r-xp", "/opt/a b/spin", "        0", "4"),
            map("55d0c9220000-55d0c9230000", "r--p", "/opt/a b/spin", "        4", "0"),
            map("55d0c9300000-55d0c9400000", "rw-p", "/opt/a b/spin", "0", "0"),
            map("7f0000000000-7f0000100000", "r-xp", "/usr/lib/libc.so.6", "0", "0"),
            map("7fff00000000-7fff00001000", "r-xp", "[vdso]", "0", "0"),
            "7fff00002000-7fff00003000 r-xp 00000000 00:00 0\nAnonymous: 0 kB\nSwap: 0 kB\n".to_owned(),
        ]
        .concat();
        let found = program_pages(&maps, Path::new("/opt/a b/spin"));
        assert_eq!(found, [Pages(0x55d0_c8a0_0000..0x55d0_c8c0_0000), Pages(0x55d0_c8c0_0000..0x55d0_c920_0000)]);
        assert_eq!(program_pages(&maps, Path::new("/opt/spin")), []);
        assert_eq!(program_pages("x-y r-xp 0 0 0 a\nSwap: 0 kB\nSwap: 0 kB\nr-xp\n", Path::new("a")), []);
    }

    #[test]
    fn a_program_goes_on_without_its_code_and_constants() {
        let resident = || -> u64 {
            let maps = fs::read_to_string("/proc/self/smaps").unwrap();
            let program = fs::read_link("/proc/self/exe").unwrap();
            let found = program_pages(&maps, &program);
            let is_let_go_of = |address: usize| found.iter().any(|Pages(pages)| pages.contains(&address));
            assert!(is_let_go_of(let_go_of_program as fn() -> io::Result<()> as usize), "{maps}");
            assert!(is_let_go_of("a constant".as_ptr() as usize), "{maps}");
            let sizes = found.iter().map(|Pages(pages)| {
                let (_, map) = maps.split_once(&format!("{:x}-{:x} ", pages.start, pages.end)).unwrap();
                let (_, size) = map.split_once("\nRss:").unwrap();
                size.split_whitespace().next().unwrap().parse::<u64>().unwrap()
            });
            sizes.sum()
        };
        // Other tests run beside this one, and use both too.
        let before = resident();
        let after = (0..50).map(|_| {
            let_go_of_program().unwrap();
            resident()
        });
        let least = after.min().unwrap();
        assert!(least < before, "{least} kB of {before} kB");
    }
}
