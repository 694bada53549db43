use clap::Parser;

use super::super::course::Standing;
use super::super::people::Person;
use super::*;
use crate::cli::{Cli, Command};
use crate::policy_file::PolicyFile;

type Change = fn(&mut Course, usize);

fn drill(guardrail: &str) -> (DrillArgs, Plan) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let policy = format!(
        r#"{{"version": 1, "identity": [{{"header": "x-user-id"}}], "rollouts": [{{
            "name": "checkout", "baseline": {{"name": "stable"}},
            "variants": [{{"name": "canary", "weight": 30}}], "guardrail": {guardrail}}}]}}"#
    );
    std::fs::write(&file, policy).unwrap();
    let path = file.path().to_str().unwrap();
    let Command::Drill(args) = Cli::parse_from(["canaryctl", "drill", path, "--users", "100"]).command else {
        panic!("no drill")
    };
    let plan = Plan::of(&args, &PolicyFile::read(&args.policy).unwrap()).unwrap();
    (args, plan)
}

/// A request of each user at this second, and what came of it.
fn round(plan: &Plan, at: u64, answer: impl Fn(Person) -> Answer) -> Vec<Sent> {
    let people = plan.people.all().iter().enumerate();
    let at = Duration::from_secs(at);
    people.map(|(place, person)| Sent { person: *person, place, at, answer: answer(*person) }).collect()
}

fn fine(side: VariantId) -> Answer {
    Answer::Served { side, ok: true, hit: false }
}

/// Healthy at 1 s; the canary fails at 3 s, is caught at 4 s, and everyone is well at 5 s.
fn caught(plan: &Plan) -> Course {
    let canary = plan.variant.id;
    let hit = Answer::Served { side: canary, ok: false, hit: true };
    let sent = [
        round(plan, 1, |person| fine(person.side)),
        round(plan, 3, |person| if person.side == canary { hit } else { fine(person.side) }),
        round(plan, 5, |_| fine(VariantId::BASELINE)),
    ];
    let trip = Trip {
        at: Duration::from_secs(4),
        rollout: "checkout".to_owned(),
        variant: "canary".to_owned(),
        action: "rolled back".to_owned(),
        why: "fails".to_owned(),
        line: "guardrail breach".to_owned(),
    };
    Course {
        failing_from: Some(Duration::from_secs(2)),
        trips: vec![trip],
        ended: Duration::from_secs(6),
        sent: sent.concat(),
        census: vec![Some(VariantId::BASELINE); plan.people.all().len()],
        standing: Standing { state: "rolled back", log10_e: 9.0 },
    }
}

#[test]
fn a_rollback_that_nobody_else_notices_holds() {
    let (args, plan) = drill(r#"{"errors": {}}"#);
    let course = caught(&plan);
    let report = Report::of(&plan, &args, &course);
    let canaries = plan.people.count(VariantId::variant(0));
    assert_eq!(report.failures, Vec::<String>::new());
    assert_eq!((report.hit.users, report.back), (canaries, canaries));
    let caught = report.caught.as_ref().unwrap();
    assert_eq!((caught.after.as_secs(), caught.requests, caught.followed.as_secs()), (2, canaries, 0));
}

#[test]
fn whatever_else_happens_is_told() {
    let (args, plan) = drill(r#"{"errors": {}}"#);
    let stable = plan.people.all().iter().position(|person| person.side == VariantId::BASELINE).unwrap();
    let changes: [(Change, &str); 6] = [
        (|course, _| course.trips.clear(), "not caught within 60 s"),
        (|course, _| course.failing_from = None, "a false alarm after 4.0 s"),
        (|course, _| course.trips[0].variant = "blue".to_owned(), "a false alarm"),
        (
            |course, stable| course.sent[stable].answer = Answer::Odd,
            "1 request failed that the fault does not explain",
        ),
        (
            |course, stable| course.census[stable] = Some(VariantId::variant(0)),
            "1 user moved who had nothing to do with it",
        ),
        (|course, _| course.census.fill(Some(VariantId::variant(0))), "0 of canary's "),
    ];
    for (change, why) in changes {
        let mut course = caught(&plan);
        change(&mut course, stable);
        let failures = Report::of(&plan, &args, &course).failures;
        assert!(failures.iter().any(|failure| failure.starts_with(why)), "{why}: {failures:?}");
    }
}

#[test]
fn after_an_alert_everyone_is_where_they_were() {
    let (args, plan) = drill(r#"{"errors": {}, "on_breach": "alert"}"#);
    let mut course = caught(&plan);
    assert_eq!(Report::of(&plan, &args, &course).failures.len(), 1);
    course.census = plan.people.all().iter().map(|person| Some(person.side)).collect();
    assert_eq!(Report::of(&plan, &args, &course).failures, Vec::<String>::new());
}
