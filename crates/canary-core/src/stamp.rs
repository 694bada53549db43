//! The headers that carry a decision to services, logs and routes.

/// Which headers; `None` switches a stamp off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamps {
    /// The request header that names the variant.
    pub variant: Box<str>,
    /// The request header that names the rollout.
    pub rollout: Option<Box<str>>,
    /// The request header that names the cluster.
    pub cluster: Option<Box<str>>,
    /// The response header that names the variant.
    pub response: Option<Box<str>>,
    /// The request header that lists the features that are on.
    pub flags: Option<Box<str>>,
    /// Whether the decision goes into W3C baggage too, for services further in.
    pub baggage: bool,
    /// Whether the decision goes into the filter state, for access logs.
    pub filter_state: bool,
    /// Whether each part of it has a filter state of its own, for access logs in JSON.
    pub fields: bool,
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            variant: "x-deployment-variant".into(),
            rollout: Some("x-deployment-rollout".into()),
            cluster: Some("x-deployment-cluster".into()),
            response: Some("x-deployment-variant".into()),
            flags: Some("x-feature-flags".into()),
            baggage: false,
            filter_state: true,
            fields: false,
        }
    }
}

impl Stamps {
    /// Every request header that is a stamp.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.request_headers().chain(self.flags.as_deref())
    }

    /// The request headers that say which side serves.
    pub fn request_headers(&self) -> impl Iterator<Item = &str> {
        let optional = [self.rollout.as_deref(), self.cluster.as_deref()];
        std::iter::once(&*self.variant).chain(optional.into_iter().flatten())
    }
}
