//! placeholder
use crate::post::Post;
use crate::{Json, Options, World};
/// x
pub struct Swarm;
impl Swarm {
    /// x
    pub fn new(_: &Options) -> Result<Self, String> { Err("not yet".into()) }
}
impl World for Swarm {
    fn command(&mut self, _: &[&str]) -> Result<String, String> { unreachable!() }
    fn next_at(&self) -> Option<core::time::Duration> { None }
    fn advance(&mut self, _: core::time::Duration) {}
    fn view(&self, _: Option<u32>) -> Json { Json::Null }
    fn post(&self) -> &Post { unreachable!() }
}
