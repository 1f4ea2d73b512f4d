//! HTTP trackers, both sides: the URL to fetch, the request that it makes, and the answer (BEP 3, 7, 23, 24,
//! 31, 48). Fetching and serving are up to the caller.

mod announce;
mod answer;
mod reply;
mod request;
mod scrape;
mod url;

pub use announce::{Announced, Contact, Contacts};
pub use answer::{Answer, AnswerError, LIMITS, MAX_ANSWER_LEN, RetryIn};
pub use reply::{AnnounceReply, encode_failure, encode_scrape};
pub use request::{HttpRequest, RequestError, ScrapeTargets, ScrapeTargetsIter};
pub use scrape::{Scraped, ScrapedTorrents};
pub use url::{UrlError, announce_url, scrape_url};
