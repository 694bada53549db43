//! Users and what they are answered.

use std::sync::Mutex;

use canary_lab::{Load, Request, Response};

use super::Scene;

/// What a user is called.
pub(crate) fn user(number: usize) -> String {
    format!("user-{number}")
}

/// What came back, the upstream's echo of the stamps that reached it included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Which upstream answered.
    pub(crate) served_by: Option<String>,
    /// The variant stamp that reached the upstream.
    pub(crate) variant: Option<String>,
    /// The rollout stamp that reached the upstream.
    pub(crate) rollout: Option<String>,
    /// The cluster stamp that reached the upstream.
    pub(crate) cluster: Option<String>,
    /// The variant stamp of the response.
    pub(crate) stamp: Option<String>,
    /// The features that reached the upstream, where it echoes them as `flags`.
    pub(crate) flags: Option<String>,
}

impl Answer {
    /// Reads a response of the demo's upstreams.
    pub(crate) fn of(response: &Response) -> Self {
        Self {
            status: response.status,
            served_by: response.header("x-served-by"),
            variant: response.header("x-echo-variant"),
            rollout: response.header("x-echo-rollout"),
            cluster: response.header("x-echo-cluster"),
            stamp: response.header("x-deployment-variant"),
            flags: response.header("x-echo-flags"),
        }
    }

    /// Whether the baseline's upstream answered with a 200.
    pub(crate) fn is_stable(&self) -> bool {
        self.status == 200 && self.served_by.as_deref() == Some("checkout-v1")
    }

    /// The side that was stamped, once for the upstream and once for the client; what does not
    /// fit together is an error.
    pub(crate) fn side(&self) -> Result<String, String> {
        let canary = self.variant.as_deref() == Some("canary") && self.rollout.as_deref() == Some("checkout");
        let upstream = if canary { "checkout-v2" } else { "checkout-v1" };
        let fits =
            self.status == 200 && self.served_by.as_deref() == Some(upstream) && self.variant == self.stamp;
        match (&self.variant, fits) {
            (Some(variant), true) => Ok(variant.clone()),
            _ => Err(format!("{self:?}")),
        }
    }
}

impl Scene {
    /// Sends one request over a connection of its own.
    pub(crate) fn ask(&self, request: &Request) -> Answer {
        Answer::of(&self.lab.client().send(request).unwrap())
    }

    /// Sends the requests 0, 1, … over connections to every worker; each must be answered well.
    pub(crate) fn answers(&self, requests: usize, request: impl Fn(usize) -> Request + Sync) -> Vec<Answer> {
        self.responses(requests, request).iter().map(Answer::of).collect()
    }

    /// As [`Scene::answers`], with all that came back.
    pub(crate) fn responses(
        &self,
        requests: usize,
        request: impl Fn(usize) -> Request + Sync,
    ) -> Vec<Response> {
        let responses = Mutex::new(vec![None; requests]);
        let tally = Load::over(self.lab.clients(4).unwrap()).requests(requests.try_into().unwrap()).run(
            |number| request(usize::try_from(number).unwrap()),
            |number, response| {
                responses.lock().unwrap()[usize::try_from(number).unwrap()] = Some(response.clone());
            },
        );
        tally.all_ok().unwrap();
        responses.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
    }

    /// Sends one request of each of the users 0, 1, …, over connections to every worker, and
    /// returns their sides. The path is `/users/<number>`.
    pub(crate) fn sides(&self, users: usize) -> Vec<String> {
        let request = |number| Request::get(&format!("/users/{number}")).header("x-user-id", user(number));
        let answers = self.answers(users, request);
        answers.iter().map(|answer| answer.side().unwrap_or_else(|strange| panic!("{strange}"))).collect()
    }
}

/// That a share is met but for chance: within four standard errors.
pub(crate) fn assert_share(hits: usize, of: usize, share: f64) {
    let [hits, of] = [hits, of].map(|count| f64::from(u32::try_from(count).unwrap()));
    let error = (share * (1.0 - share) / of).sqrt();
    assert!((hits / of - share).abs() <= 4.0 * error, "{hits} of {of}, expected {share}");
}
