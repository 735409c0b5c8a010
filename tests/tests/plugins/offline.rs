//! A machine without a network: nothing but its loopback interface.

use spin_tests::{Finished, World};
use xtask::tarball::{Parts, assemble};

use super::{catalogue, configured, pack_stub};

const UNSHARE: &str = "/usr/bin/unshare";

/// Runs a Python script in a network namespace of its own, in which only the loopback interface is up.
fn without_network(world: &World, script: &str, arguments: &[&str]) -> Finished {
    // `ifconfig lo up`: SIOCSIFFLAGS with IFF_UP. Then the proof that there is no way out.
    const BEGIN: &str = "import fcntl, os, socket, struct, subprocess, sys, urllib.request\n\
        fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh', b'lo', 1))\n\
        assert [name for _, name in socket.if_nameindex()] == ['lo'], socket.if_nameindex()\n";
    let script = format!("{BEGIN}{script}");
    let namespace = ["--user", "--map-root-user", "--net", "python3", "-c", &script];
    world.command(UNSHARE).args(namespace).args(arguments).env_remove("SPIN_CATALOGUES").run()
}

#[test]
fn a_mirror_installs() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let web = spin_tests::web::Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    configured(&world, &["plugins", "catalogue", "add", "web", "--url", &web.url("/c")]).run().success();
    let mirror = world.path("mirror").display().to_string();
    configured(&world, &["plugins", "mirror", "--to", &mirror, "trigger-stub"]).run().success();
    let spin = world.dist().bin("spin").display().to_string();
    let script = "spin, mirror = sys.argv[1:]\n\
        install = [spin, 'plugins', 'install', 'trigger-stub', '--yes']\n\
        assert subprocess.run(install).returncode != 0\n\
        subprocess.run(install, env={**os.environ, 'SPIN_CATALOGUES': mirror}, check=True)\n\
        subprocess.run([spin, 'plugins', 'verify'], check=True)\n";
    let run = without_network(&world, script, &[&spin, &mirror]).success();
    assert!(run.stdout.contains("trigger-stub 1.0.0: intact"), "{}", run.snapshot());
}

/// The tarball is what `cargo xtask dist` makes, of the programs under test instead of smaller ones.
#[test]
fn the_tarball_for_users_installs_and_serves_http() {
    let world = World::new();
    let (dist, repository) = (world.dist(), spin_tests::repository());
    let parts = Parts { spin: &dist.bin("spin"), catalogue: &dist.catalogue(), texts: &repository };
    let tarball = assemble(parts, &world.path("dist")).unwrap();
    let app = repository.join("examples/hello");
    let script = "tarball, app = sys.argv[1:]\n\
        subprocess.run(['tar', '-xzf', tarball, '--strip-components=1', '-C', os.environ['HOME']], check=True)\n\
        spin = os.environ['HOME'] + '/bin/spin'\n\
        subprocess.run([spin, 'plugins', 'install', 'trigger-http', '--yes'], check=True)\n\
        up = [spin, 'up', '--from', app, '--listen', '127.0.0.1:0']\n\
        with subprocess.Popen(up, stdout=subprocess.PIPE, text=True) as up:\n\
        \x20   url = next(line.split()[1] for line in up.stdout if line.startswith('Serving '))\n\
        \x20   print('answered', urllib.request.urlopen(url).status)\n\
        \x20   up.terminate()\n";
    let (tarball, app) = (tarball.display().to_string(), app.display().to_string());
    let run = without_network(&world, script, &[&tarball, &app]).success();
    assert!(run.stdout.contains("answered 200"), "{}", run.snapshot());
}
