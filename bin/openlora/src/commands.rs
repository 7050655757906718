use anyhow::Context as _;
use openledger_openlora::serve;
use openledger_training::{Event, run_indexing, run_training};

use crate::args::Command;

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .context("the async runtime did not start")?;
            Ok(runtime.block_on(serve(&args))?)
        }
        Command::Train(args) => {
            let report = run_training(&args, &mut show)?;
            println!("adapter {} in {}", report.adapter, args.output.display());
            println!("next: openlora index --model {} --adapter {}", args.model.display(), args.output.display());
            Ok(())
        }
        Command::Index(args) => {
            let summary = run_indexing(&args, &mut show)?;
            let (data, folder) = (summary.data, summary.adapter.display());
            println!("gradients of {data} data in {folder}, commitment {}", summary.commitment);
            Ok(())
        }
    }
}

/// Progress is a line on standard output for each event.
fn show(event: &Event) {
    println!("{event}");
}
