//! Promises of the settings: one table, known origins, errors with a remedy.

use std::time::Duration;

use sameriver::prelude::*;
use sameriver::{EffectiveSettings, Origin, Settings, SettingsError};

fn parse(text: &str) -> Result<Settings, SettingsError> {
    EffectiveSettings::parse(text, "sameriver.toml")?.validated()
}

fn refused(text: &str) -> String {
    parse(text)
        .expect_err("settings that are refused")
        .to_string()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(
        parse("").expect("no setting is mandatory"),
        Settings::default()
    );
}

#[test]
fn every_printed_setting_can_be_read_back() {
    let mut settings = EffectiveSettings::parse(
        "parallelism = 3\nchaining = false\nbatch_timeout = \"1500us\"",
        "sameriver.toml",
    )
    .expect("known settings");
    settings
        .set("yield_after", "2ms")
        .expect("a duration needs no quotes on a command line");
    let printed = settings.to_string();
    let read = parse(&printed).expect("what is printed is a settings file");
    assert_eq!(
        read,
        settings.validated().expect("settings that fit together")
    );
    assert_eq!(read.batch_timeout, Duration::from_micros(1_500));
    assert_eq!(read.yield_after, Duration::from_millis(2));
}

#[test]
fn the_print_shows_where_each_value_came_from() {
    let mut settings =
        EffectiveSettings::parse("\n\nparallelism = 3", "sameriver.toml").expect("a known setting");
    settings
        .set("max_parallelism", "64")
        .expect("a known setting");
    let origin = |name| {
        let row = settings.rows().into_iter().find(|row| row.name == name);
        row.expect("a setting of the table").origin
    };
    assert_eq!(origin("parallelism").to_string(), "sameriver.toml line 3");
    assert_eq!(origin("max_parallelism"), Origin::CommandLine);
    assert_eq!(origin("slots"), Origin::Default);
    insta::assert_snapshot!(settings.to_string());
}

#[test]
fn the_command_line_wins_over_the_file() {
    let mut settings =
        EffectiveSettings::parse("parallelism = 3", "sameriver.toml").expect("a known setting");
    settings.set("parallelism", "5").expect("a known setting");
    assert_eq!(settings.validated().expect("in range").parallelism, 5);
}

#[test]
fn an_unknown_setting_names_its_line_and_the_nearest_one() {
    assert_eq!(
        refused("parallelism = 2\nbatch_record = 1"),
        "sameriver.toml line 2: unknown setting batch_record: did you mean batch_records?"
    );
    assert_eq!(
        refused("colour = 1"),
        "sameriver.toml line 1: unknown setting colour: `sameriver settings --print` lists all of \
         them"
    );
}

#[test]
fn a_value_of_another_type_names_what_is_expected() {
    assert_eq!(
        refused("parallelism = \"four\""),
        "sameriver.toml line 1: parallelism = \"four\" cannot be read: write a whole number from 0 \
         to 4294967295"
    );
    assert_eq!(
        refused("batch_timeout = 5"),
        "sameriver.toml line 1: batch_timeout = 5 cannot be read: write a number with a unit, us, \
         ms, s, min or h: \"5ms\""
    );
    assert_eq!(
        refused("[parallelism]\nvalue = 1"),
        "sameriver.toml line 1: parallelism = [table] cannot be read: write a whole number from 0 \
         to 4294967295"
    );
}

#[test]
fn settings_that_do_not_go_together_are_refused_with_a_remedy() {
    assert_eq!(
        refused("parallelism = 200"),
        "setting parallelism = 200 is refused: it is above max_parallelism = 128: lower it, or \
         raise max_parallelism before the job has state"
    );
    assert_eq!(
        refused("parallelism = 4\ntask_managers = 1\nslots = 3"),
        "setting slots = 3 is refused: with task_managers = 1 that is fewer than the \
         job's highest parallelism, which is 4: raise one of them, or write slots = 0"
    );
    assert_eq!(
        refused("batch_records = 0"),
        "setting batch_records = 0 is refused: choose at least 1"
    );
    assert_eq!(
        refused("checkpoints = \"kept\"\nleader_timeout = \"3s\""),
        "setting leader_timeout = \"3s\" is refused: one late mark would depose the leader: choose \
         at least twice leader_interval = 2s"
    );
}

#[test]
fn a_limit_of_frames_into_which_nothing_fits_is_refused() {
    for name in ["frame_bytes", "control_frame_bytes"] {
        for value in [0, 1, 65_535] {
            let says = format!(
                "setting {name} = {value} is refused: a batch or a message would not fit: choose \
                 at least 65536"
            );
            assert_eq!(refused(&format!("{name} = {value}")), says);
        }
        assert!(parse(&format!("{name} = 65536")).is_ok(), "{name}");
    }
}

#[test]
fn a_file_that_is_not_toml_or_not_there_is_named() {
    let error = refused("parallelism = = 2");
    assert!(
        error.starts_with("settings file sameriver.toml: TOML parse error at line 1"),
        "{error}"
    );
    let error = Settings::load("no/such/file.toml").expect_err("there is no such file");
    let error = error.to_string();
    assert!(
        error.starts_with("cannot read settings file no/such/file.toml: "),
        "{error}"
    );
}

#[tokio::test]
async fn a_job_above_a_limit_names_a_setting_that_the_file_knows() {
    let job = |env: &mut Environment| {
        env.elements("numbers", 0..10_u64)
            .flat_map(|n, out: &mut Out<'_, u64>| (0..n).for_each(|n| out.emit(n)))
            .rebalance()
            .discard("nowhere")
    };
    let settings = "overdraft_batches = 1\nbatch_records = 1";
    let settings = parse(settings).expect("settings that are known");
    let error = sameriver::run(job, &settings).await;
    let error = error.expect_err("one record gives nine").to_string();
    assert!(error.contains("raise overdraft_batches"), "{error}");
}
