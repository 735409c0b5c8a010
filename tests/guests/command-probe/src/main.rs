//! A command for tests: prints its arguments, one a line, and exits with the number that `exit=N` among them names;
//! `sleep=MS` makes it wait before it goes on, `trap` traps.

fn main() {
    let mut code = 0;
    for argument in std::env::args() {
        println!("{argument}");
        match argument.split_once('=') {
            Some(("exit", number)) => code = number.parse().expect("a number"),
            Some(("sleep", number)) => {
                std::thread::sleep(std::time::Duration::from_millis(number.parse().expect("a number")));
            }
            _ if argument == "trap" => core::arch::wasm32::unreachable(),
            _ => {}
        }
    }
    std::process::exit(code);
}
