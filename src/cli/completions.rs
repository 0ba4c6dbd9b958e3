//! `querylab completions SHELL`: a script that completes verbs and flags.

use clap::CommandFactory;

use super::args::Cli;
use super::args_of_itself::CompletionsArgs;
use super::exit::Exit;
use super::out;

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Exit> {
    out::bytes(&script(args.shell))?;
    Ok(Exit::Done)
}

fn script(shell: clap_complete::Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "querylab", &mut text);
    text
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_script_of_every_shell_knows_verbs_and_flags() {
        let shells = clap_complete::Shell::value_variants();
        assert!(shells.len() >= 4);
        for shell in shells {
            let text = String::from_utf8(script(*shell)).expect("text");
            for word in ["querylab", "calibrate", "partition"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }
}
