//! `querylab serve FILE --variant V`: the stack, up until Ctrl-C.

use std::fmt::Write;

use super::args::{Global, ProgressKind, ServeArgs};
use super::exit::Exit;
use super::progress::Painter;
use super::{external, out, signals, source, tools};
use crate::lab::{self, Served, Serving, Stop};

pub(super) fn serve(global: &Global, args: &ServeArgs) -> Result<Exit, Exit> {
    let mut layers = args.layers.clone();
    let wanted = layers.variant.take();
    let (spec, plan) = source::resolve(global, &args.file, &layers)?;
    let variant = wanted.unwrap_or_else(|| plan.design.baseline.clone());
    if plan.variant(&variant).is_none() {
        let names: Vec<&str> = plan.variants.iter().map(|v| v.name.as_str()).collect();
        let hint = crate::spec::did_you_mean(&variant, names.iter().copied()).map_or_else(
            || format!("it has {}", names.join(", ")),
            |name| format!("did you mean `{name}`?"),
        );
        return Err(out::fail(
            Exit::Input,
            format!("this experiment has no variant `{variant}`: {hint}"),
        ));
    }
    let baseline = plan.design.baseline.clone();
    let plan = plan.restricted_to(|v, _| v == variant || v == baseline).ok_or_else(|| {
        out::fail(Exit::Input, format!("variant `{variant}` has no cell in this plan"))
    })?;
    let mut session = tools::session_options(&plan, &args.tools, args.keep)?;
    session.surroundings.nginx_port = args.port;
    session.needs.external = external::address(global, (&spec, &plan), args.allow_external)?;
    let options = Serving { session, cache: tools::data_cache(args.fresh, tools::User::Person)? };
    let runtime = tools::runtime()?;
    let served = runtime.block_on(async {
        let interrupt = signals::listen()
            .map_err(|e| out::fail(Exit::Environment, format!("cannot listen for signals: {e}")))?;
        let mut painter = Painter::new(global, ProgressKind::Auto);
        let mut draw = |event| painter.draw(&event);
        let mut ready = |served: Served| announce(&variant, &served);
        lab::serve(&spec, &plan, &variant, options, interrupt.clone(), (&mut draw, &mut ready))
            .await
            .map_err(|stop| out::fail(Exit::from(&stop), &stop))?;
        Ok::<Exit, Exit>(match *interrupt.borrow() {
            // Ctrl-C is how a person ends `serve`: that is success.
            lab::Interrupt::Stop(2) | lab::Interrupt::None => Exit::Done,
            lab::Interrupt::Stop(signal) => Exit::from(&Stop::Interrupted(signal)),
        })
    });
    runtime.shutdown_background();
    served
}

fn announce(variant: &str, served: &Served) {
    if out::is_json() {
        let endpoint = |(name, method, path): &(String, String, String)| {
            let url = format!("{}{path}", served.url);
            serde_json::json!({ "name": name, "method": method, "url": url })
        };
        let endpoints: Vec<serde_json::Value> = served.endpoints.iter().map(endpoint).collect();
        let event = serde_json::json!({
            "event": "serving", "variant": variant, "url": served.url, "endpoints": endpoints,
            "postgres_socket_dir": served.postgres_host, "database": served.database,
        });
        return out::object(&event).unwrap_or_default();
    }
    let mut text = format!("\nserving variant {variant} at {}\n", served.url);
    for (name, method, path) in &served.endpoints {
        writeln!(text, "  {name:<16} {method} {}{path}", served.url).expect("a String takes all");
    }
    let (host, database) = (&served.postgres_host, &served.database);
    let socket = if host.starts_with('/') { "socket in " } else { "" };
    writeln!(text, "  {:<16} {socket}{host}, database {database}", "postgres")
        .expect("a String takes all");
    text.push_str("Ctrl-C stops it.\n");
    // Who closed the pipe does not want to read it.
    out::stdout(&text).unwrap_or_default();
}
