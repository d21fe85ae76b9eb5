//! State and timers through the front door: what a keyed function keeps, at every parallelism.

use sameriver::prelude::*;

/// The collection `out` of a job, sorted, once it is equal in all shapes.
fn collected<T>(job: fn(&mut Environment) -> Result<(), BuildError>) -> Vec<T>
where
    T: serde::Serialize + serde::de::DeserializeOwned + Send + Ord + std::fmt::Debug + 'static,
{
    let run = |parallelism, task_managers| {
        let settings = Settings {
            parallelism,
            task_managers,
            ..Settings::default()
        };
        let result = sameriver::run_blocking(job, &settings).expect("a job that finishes");
        let mut records = result.collected::<T>("out").expect("a collection");
        records.sort();
        records
    };
    let one = run(1, 1);
    assert_eq!(run(2, 1), one, "at parallelism 2");
    assert_eq!(run(4, 2), one, "at parallelism 4, on two task managers");
    one
}

/// Counts the words of each first letter, and gives the counts at the end of time.
#[derive(Clone)]
struct WordsOfALetter;

impl KeyedProcess<char, String> for WordsOfALetter {
    type Out = (char, Vec<(String, u64)>);
    type States = MapState<String, u64>;

    fn states(&self, declare: &mut Declare<'_, char>) -> Result<Self::States, DeclareError> {
        declare.map("words")
    }

    fn record(
        &self,
        words: &Self::States,
        word: String,
        at: &mut At<'_, char>,
        _: &mut Out<'_, Self::Out>,
    ) -> Result<(), UserError> {
        if words.is_empty(at)? {
            at.timer_at(EventTime::MAX)?;
        }
        words.update(at, word.as_str(), |count| *count.get_or_insert(0) += 1)?;
        Ok(())
    }

    fn timer(
        &self,
        words: &Self::States,
        _: Timer,
        at: &mut At<'_, char>,
        out: &mut Out<'_, Self::Out>,
    ) -> Result<(), UserError> {
        let mut counts = Vec::new();
        words.for_each(at, |word, count| counts.push((word.clone(), *count)))?;
        words.clear(at)?;
        out.emit((*at.key(), counts));
        Ok(())
    }
}

#[test]
fn a_map_state_keeps_entries_by_key_in_the_order_of_their_keys() {
    let counts = collected::<(char, Vec<(String, u64)>)>(|env| {
        let words = ["sea", "source", "river", "sea", "rain", "sand"];
        env.elements("words", words.map(str::to_owned))
            .key_by(|word| word.chars().next().unwrap_or_default())
            .process("words", WordsOfALetter)
            .collect("out")
    });
    let entry = |word: &str, count| (word.to_owned(), count);
    let expected = [
        ('r', vec![entry("rain", 1), entry("river", 1)]),
        (
            's',
            vec![entry("sand", 1), entry("sea", 2), entry("source", 1)],
        ),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn a_value_state_of_the_closure_form_is_kept_by_key() {
    let firsts = collected::<u64>(|env| {
        env.elements("numbers", [3_u64, 1, 3, 2, 1])
            .key_by(|n| *n)
            .process_fn("first-only", |declare| {
                let seen = declare.value::<bool>("seen")?;
                Ok(
                    move |n: u64, at: &mut At<'_, u64>, out: &mut Out<'_, u64>| {
                        if !seen.update(at, |seen| seen.replace(true).is_some())? {
                            out.emit(n);
                        }
                        Ok(())
                    },
                )
            })
            .collect("out")
    });
    assert_eq!(firsts, [1, 2, 3]);
}

/// Wakes up at the time of the last record of its key only.
#[derive(Clone)]
struct AtTheLastTime;

impl KeyedProcess<bool, i64> for AtTheLastTime {
    type Out = i64;
    type States = ValueState<i64>;

    fn states(&self, declare: &mut Declare<'_, bool>) -> Result<Self::States, DeclareError> {
        declare.value("planned")
    }

    fn record(
        &self,
        planned: &Self::States,
        time: i64,
        at: &mut At<'_, bool>,
        _: &mut Out<'_, i64>,
    ) -> Result<(), UserError> {
        let before = planned.update(at, |planned| planned.replace(time))?;
        if let Some(before) = before {
            at.delete_timer(before)?;
        }
        at.timer_at(time)?;
        Ok(())
    }

    fn timer(
        &self,
        _: &Self::States,
        timer: Timer,
        _: &mut At<'_, bool>,
        out: &mut Out<'_, i64>,
    ) -> Result<(), UserError> {
        out.emit(timer.time().as_millis());
        Ok(())
    }
}

#[test]
fn a_deleted_timer_never_fires() {
    let fired = collected::<i64>(|env| {
        // In one slice, so that no watermark comes between the records.
        env.elements("times", [10_i64, 11, 20, 21, 30])
            .watermarks(Watermarks::bounded(secs(1)).event_time(|time: &i64| *time))
            .key_by(|time| time % 2 == 0)
            .process("last", AtTheLastTime)
            .collect("out")
    });
    assert_eq!(fired, [21, 30]);
}
