//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    nsmctl::run(std::env::args_os())
}
