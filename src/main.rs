//! The binary: everything is in the library.

// Stands in for the CLI until that is merged: `nsmctl engine run --dir DIR` is all that the engine's tests need.
fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    match arguments.as_slice() {
        [_, engine, run, flag, dir] if engine == "engine" && run == "run" && flag == "--dir" => {
            nsmctl::engine::run(std::path::Path::new(dir)).map_or_else(|failure| failure.outcome.code(), |()| 0).into()
        }
        _ => 2.into(),
    }
}
