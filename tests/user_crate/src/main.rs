//! A user's program: counts clicks a page and minute, and names those that came too late.
//!
//! Uses what the documentation shows, and nothing else of the repository.

use std::process::ExitCode;

use sameriver::prelude::*;
use sameriver_cli::NamedJob;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Click {
    page: String,
    at: i64,
}

fn click(line: &str) -> Result<Click, UserError> {
    let missing = || UserError::msg("write `page,milliseconds`");
    let (page, at) = line.split_once(',').ok_or_else(missing)?;
    Ok(Click {
        page: page.to_owned(),
        at: at.parse()?,
    })
}

fn clicks_per_page(env: &mut Environment) -> Result<(), BuildError> {
    let (counts, late) = env
        .source("clicks", FileSource::lines("clicks.csv").parse(click))
        .watermarks(Watermarks::bounded(secs(5)).event_time(|click: &Click| click.at))
        .parallelism(1) // one reader, so what is late is decided by the file alone
        .key_by_ref(|click: &Click| click.page.as_str())
        .window(Tumbling::of(mins(1)))
        .aggregate_with_late("clicks-per-page", Count);
    late.map(|click| format!("late: {} at {}", click.page, click.at))
        .print("late")?;
    counts
        .key_by_ref(|count| count.key.as_str())
        .process_fn("running-totals", |declare| {
            let total = declare.value::<u64>("total")?;
            Ok(
                move |count: WindowResult<String, u64>,
                      at: &mut At<'_, String>,
                      out: &mut Out<'_, String>| {
                    let sum = total.update(at, |total| {
                        let total = total.get_or_insert(0);
                        *total += count.value;
                        *total
                    })?;
                    out.emit(format!(
                        "{} {} {}: {sum}",
                        count.key, count.window, count.value
                    ));
                    Ok(())
                },
            )
        })
        .print("counts")
}

fn main() -> ExitCode {
    let about = "counts the clicks of clicks.csv a page and minute";
    let jobs = [NamedJob::of("clicks_per_page", about, clicks_per_page)];
    sameriver_cli::main("clicks", &jobs)
}
