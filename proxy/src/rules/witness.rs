//! Who looks on while rules are judged: nobody when a request is served, a [`Trail`] when somebody asks what would become of
//! one.

use http::StatusCode;

use super::captured::Captured;
use super::condition::Subject;
use super::fields::{Changes, Direction};
use super::{Action, End, Failed, Judgement, Rule};
use crate::config::UpstreamId;

/// Whoever looks on. What nobody looks at costs nothing: there is one judging for each.
pub(super) trait Witness {
    /// Whether rules are tried that have nothing to say any more, only to tell that they fit.
    const CURIOUS: bool;

    /// A rule is about the request.
    fn fits(&mut self, place: usize, rule: &Rule, captured: &Captured, standing: Standing);

    /// Its action is done.
    fn acted(&mut self, action: &Action, judgement: &Judgement);

    /// With it the judging came to nothing.
    fn failed(&mut self, place: usize, rule: &Rule, failed: Failed);
}

/// What of a rule counts when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All of it.
    Whole,
    /// Only the answer's fields: an earlier rule has ended the request.
    Ended,
    /// Only the answer's fields: the gateway answers by itself.
    Overruled,
}

/// Nobody looks on.
pub(super) struct Nobody;

impl Witness for Nobody {
    const CURIOUS: bool = false;

    fn fits(&mut self, _: usize, _: &Rule, _: &Captured, _: Standing) {}

    fn acted(&mut self, _: &Action, _: &Judgement) {}

    fn failed(&mut self, _: usize, _: &Rule, _: Failed) {}
}

/// What a rule that is about a request did to it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its place in the file, counted from 0.
    pub place: usize,
    /// Its matcher; none where it is about everything.
    pub matcher: Option<String>,
    /// What it captured: names, and what stands for them in a field.
    pub captured: Vec<(String, String)>,
    /// What its action did.
    pub act: Option<Act>,
    /// What it changes of the request's fields.
    pub request: Changes,
    /// What it changes of the answer's fields.
    pub response: Changes,
    /// Whether it says something of pages of other origins.
    pub cors: bool,
    /// What of it does not count, and why.
    pub idle: Option<Idle>,
    /// Why the judging ended with it.
    pub failed: Option<Failed>,
}

/// What the action of a rule did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It told the visitor to ask elsewhere.
    Redirect(StatusCode, String),
    /// It gave the request another target.
    Rewrite {
        /// The target before.
        from: String,
        /// The target from here on.
        to: String,
        /// The upstream from here on, where the rule names one.
        upstream: Option<UpstreamId>,
    },
    /// It answered.
    Respond(StatusCode),
}

/// What of a rule does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Its keys in the file.
    pub keys: Vec<&'static str>,
    /// The place of the rule that has ended the request; none where the gateway answers by itself.
    pub ended_by: Option<usize>,
}

/// What the rules did, step by step.
pub(super) struct Trail {
    pub(super) steps: Vec<Step>,
    /// The target as rewrites have left it.
    target: String,
    ended_by: Option<usize>,
}

impl Trail {
    pub(super) fn new(subject: &Subject<'_>) -> Trail {
        let query = subject.query.map(|query| format!("?{query}")).unwrap_or_default();
        Trail { steps: Vec::new(), target: format!("{}{query}", subject.path), ended_by: None }
    }
}

impl Witness for Trail {
    const CURIOUS: bool = true;

    fn fits(&mut self, place: usize, rule: &Rule, captured: &Captured, standing: Standing) {
        let mut step = Step::of(place, rule);
        step.captured = captured.iter().map(|(name, value)| (name.to_owned(), value.in_field())).collect();
        rule.response.resolve(captured, Direction::Response, &mut step.response);
        match standing {
            Standing::Whole => rule.request.resolve(captured, Direction::Request, &mut step.request),
            Standing::Ended => step.idle = rule.idle(self.ended_by),
            Standing::Overruled => step.idle = rule.idle(None),
        }
        self.steps.push(step);
    }

    fn acted(&mut self, action: &Action, judgement: &Judgement) {
        let Some(step) = self.steps.last_mut() else { return };
        match (action, &judgement.end, &judgement.target) {
            (Action::GoOn, ..) => {}
            (Action::Rewrite(rewrite), _, target) => {
                let from = self.target.clone();
                self.target.clone_from(target.as_ref().unwrap_or(&from));
                step.act = Some(Act::Rewrite { from, to: self.target.clone(), upstream: rewrite.upstream });
            }
            (Action::Redirect(..), Some(End::Redirect(status, location)), _) => {
                let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
                step.act = Some(Act::Redirect(*status, location));
                self.ended_by = Some(step.place);
            }
            (Action::Respond(answer), ..) => {
                step.act = Some(Act::Respond(answer.status));
                self.ended_by = Some(step.place);
            }
            // What is done has left an end.
            (Action::Redirect(..), None | Some(End::Respond(..) | End::Failed(_)), _) => {}
        }
    }

    fn failed(&mut self, place: usize, rule: &Rule, failed: Failed) {
        match self.steps.last_mut() {
            Some(step) if step.place == place => step.failed = Some(failed),
            Some(_) | None => self.steps.push(Step { failed: Some(failed), ..Step::of(place, rule) }),
        }
    }
}

impl Step {
    fn of(place: usize, rule: &Rule) -> Step {
        Step {
            place,
            matcher: (!rule.matcher.fits_everything()).then(|| rule.matcher.to_string()),
            captured: Vec::new(),
            act: None,
            request: Changes::default(),
            response: Changes::default(),
            cors: rule.cors.is_some(),
            idle: None,
            failed: None,
        }
    }
}

impl Rule {
    /// What of it does not count where only the answer's fields do.
    fn idle(&self, ended_by: Option<usize>) -> Option<Idle> {
        let action = match &self.action {
            Action::GoOn => None,
            Action::Redirect(..) => Some("redirect"),
            Action::Rewrite(_) => Some("rewrite"),
            Action::Respond(_) => Some("respond"),
        };
        let request = (!self.request.is_empty()).then_some("request_headers");
        let keys: Vec<&str> = action.into_iter().chain(request).collect();
        (!keys.is_empty()).then_some(Idle { keys, ended_by })
    }
}
