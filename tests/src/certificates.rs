//! Certificates of a test's own authority, made with `openssl` (package openssl).
//!
//! The authority signs an intermediate one, which signs servers: a server that doesn't show its chain isn't believed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What `openssl` needs to know that isn't on its command line.
const EXTENSIONS: &str = "[req]\ndistinguished_name = name\n[name]\n\
    [authority]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\n\
    [server]\nbasicConstraints = CA:FALSE\nsubjectAltName = DNS:localhost, IP:127.0.0.1\n";

/// The forms of a private key that servers get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// An elliptic curve in PKCS#8.
    Pkcs8,
    /// RSA in PKCS#1.
    Pkcs1,
    /// An elliptic curve in SEC1, behind the curve's parameters.
    Sec1,
}

/// An authority and its folder.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

/// A server's two files.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The chain, the server's own first.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Certificates {
    /// A new authority that keeps its files in `folder`.
    ///
    /// # Panics
    ///
    /// If there is no `openssl`, or it fails.
    #[track_caller]
    pub fn new(folder: PathBuf) -> Self {
        std::fs::create_dir_all(&folder).expect("a folder can be made in the world");
        std::fs::write(folder.join("openssl.cnf"), EXTENSIONS).expect("a file can be written in the world");
        let authority = Self { folder };
        authority.key("root", Key::Pkcs8);
        authority.openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            "root.key",
            "-out",
            "root.pem",
            "-days",
            "2",
            "-subj",
            "/CN=root",
            "-config",
            "openssl.cnf",
            "-extensions",
            "authority",
        ]);
        authority.key("between", Key::Pkcs8);
        authority.sign("between", "root", "authority");
        authority
    }

    /// The authority's own certificate, in PEM.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// A certificate for `localhost` and 127.0.0.1, whose common name is `name`.
    #[track_caller]
    pub fn issue(&self, name: &str, key: Key) -> Issued {
        self.key(name, key);
        self.sign(name, "between", "server");
        let certificate = self.folder.join(format!("{name}.chain.pem"));
        let chain = [self.read(format!("{name}.pem")), self.read("between.pem".to_owned())].concat();
        std::fs::write(&certificate, chain).expect("a file can be written in the world");
        Issued { certificate, key: self.folder.join(format!("{name}.key")) }
    }

    #[track_caller]
    fn key(&self, name: &str, key: Key) {
        let file = format!("{name}.key");
        match key {
            Key::Pkcs8 => {
                self.openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &file]);
            }
            Key::Pkcs1 => self.openssl(&["genrsa", "-traditional", "-out", &file, "2048"]),
            Key::Sec1 => self.openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-out", &file]),
        }
    }

    #[track_caller]
    fn sign(&self, name: &str, by: &str, extensions: &str) {
        let [key, request, certificate] = ["key", "csr", "pem"].map(|ending| format!("{name}.{ending}"));
        let [issuer, issuer_key] = ["pem", "key"].map(|ending| format!("{by}.{ending}"));
        let subject = format!("/CN={name}");
        self.openssl(&["req", "-new", "-key", &key, "-out", &request, "-subj", &subject, "-config", "openssl.cnf"]);
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-out",
            &certificate,
            "-days",
            "2",
            "-CA",
            &issuer,
            "-CAkey",
            &issuer_key,
            "-CAcreateserial",
            "-extfile",
            "openssl.cnf",
            "-extensions",
            extensions,
        ]);
    }

    fn read(&self, name: String) -> Vec<u8> {
        std::fs::read(self.folder.join(name)).expect("openssl has written it")
    }

    #[track_caller]
    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        match command.args(arguments).current_dir(&self.folder).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => panic!("openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => panic!("openssl (package openssl) can't be started: {error}"),
        }
    }
}

impl Issued {
    /// Puts these in the place of `other`'s, each file at once.
    pub fn replace(&self, other: &Self) {
        for (from, to) in [(&self.certificate, &other.certificate), (&self.key, &other.key)] {
            replace(to, &std::fs::read(from).expect("an issued file"));
        }
    }
}

/// Gives a file new content at once: nobody sees a part of it.
pub fn replace(file: &Path, content: &[u8]) {
    let new = file.with_extension("new");
    std::fs::write(&new, content).expect("a file can be written in the world");
    std::fs::rename(&new, file).expect("a file can be replaced in its folder");
}
