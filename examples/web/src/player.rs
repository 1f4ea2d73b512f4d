//! Time under the control of a person: forward, step by step, and back.

use core::time::Duration;

use crate::chain::Chain;
use crate::flood::Flood;
use crate::stake::Stake;
use crate::swarm::Swarm;
use crate::{Json, Options, World, ring, swarm};

/// A world, and what is needed to build it again as it was at any earlier time.
pub struct Player {
    kind: String,
    options: Options,
    world: Box<dyn World>,
    now: Duration,
    /// Commands and their times.
    commands: Vec<(Duration, String)>,
    /// When something happened, for steps back.
    steps: Vec<Duration>,
    selected: Option<u32>,
    read: usize, // lines of the trace
}

/// Builds a world.
///
/// # Errors
///
/// A sentence that says which option is wrong.
pub fn build(kind: &str, options: &Options) -> Result<Box<dyn World>, String> {
    match kind {
        "flood" => Ok(Box::new(Flood::new(options)?)),
        "ring" => ring::build(options),
        "swarm" => Ok(Box::new(Swarm::new(options)?)),
        "chain" => Ok(Box::new(Chain::new(options)?)),
        "stake" => Ok(Box::new(Stake::new(options)?)),
        _ => Err(format!(
            "there is no world {kind:?}; flood, ring, swarm, chain and stake are known"
        )),
    }
}

impl Player {
    /// Builds a world at time zero.
    ///
    /// # Errors
    ///
    /// A sentence that says which option is wrong.
    pub fn open(kind: &str, options: &str) -> Result<Self, String> {
        let options = Options::parse(options);
        let world = build(kind, &options)?;
        Ok(Self {
            kind: kind.into(),
            options,
            world,
            now: Duration::ZERO,
            commands: Vec::new(),
            steps: Vec::new(),
            selected: None,
            read: 0,
        })
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Returns the world.
    #[must_use]
    pub fn world(&self) -> &dyn World {
        &*self.world
    }

    /// Chooses the node whose state the view contains.
    pub fn select(&mut self, node: Option<u32>) {
        self.selected = node;
    }

    /// Carries out a command now.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn command(&mut self, text: &str) -> Result<String, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let said = self.world.command(&words)?;
        self.commands.push((self.now, text.to_owned()));
        Ok(said)
    }

    /// Goes to a later time.
    pub fn advance(&mut self, until: Duration) {
        while let Some(at) = self.world.next_at().filter(|at| *at <= until) {
            self.world.advance(at.max(self.now));
            self.now = self.now.max(at);
            self.steps.push(self.now);
        }
        self.world.advance(until);
        self.now = self.now.max(until);
    }

    /// Goes to the next time at which something happens; returns whether there is one.
    pub fn step(&mut self) -> bool {
        let Some(at) = self.world.next_at() else { return false };
        self.advance(at.max(self.now));
        true
    }

    /// Goes back to before the last thing that happened or was commanded; returns whether there was one.
    pub fn back(&mut self) -> bool {
        let before = |at: &Duration| *at < self.now;
        let step = self.steps.iter().rev().copied().find(before);
        let command = self.commands.iter().rev().map(|(at, _)| *at).find(before);
        if step.is_none() && self.commands.is_empty() && self.now.is_zero() {
            return false;
        }
        self.go_back_to(step.max(command).unwrap_or_default());
        true
    }

    /// Builds the world again as it was at `target`: commands of that time are carried out, later ones forgotten.
    fn go_back_to(&mut self, target: Duration) {
        let undo_all = target == self.now;
        let commands = core::mem::take(&mut self.commands);
        let Ok(world) = build(&self.kind, &self.options) else { return };
        self.world = world;
        self.now = Duration::ZERO;
        self.steps.clear();
        self.read = 0;
        for (at, text) in commands {
            if at < target || at == target && !undo_all {
                self.advance(at);
                let _ = self.command(&text); // it went well before
            }
        }
        self.advance(target);
    }

    /// Describes everything that the page draws. Lines of the trace are contained once.
    pub fn view(&mut self) -> Json {
        let post = self.world.post();
        let (read, lines) = post.lines_from(self.read);
        let fresh = self.read == 0;
        let flights = post.in_flight();
        self.read = read;
        let next = self.world.next_at().map(|at| at.as_secs_f64());
        let commands = self
            .commands
            .iter()
            .map(|(at, text)| Json::List(vec![at.as_secs_f64().into(), text.as_str().into()]));
        Json::object([
            ("world", self.kind.as_str().into()),
            ("now", self.now.as_secs_f64().into()),
            ("next", next.into()),
            ("steps", self.steps.len().into()),
            ("commands", Json::List(commands.collect())),
            ("flights", flights),
            ("fresh", fresh.into()),
            ("lines", lines),
            ("view", self.world.view(self.selected)),
        ])
    }

    /// Carries out a request of the page: `do COMMAND`, `to SECONDS`, `step`, `back`, `select NODE`, `view`,
    /// and in a swarm `compare`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn request(&mut self, text: &str) -> Result<Json, String> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut said = Json::Null;
        match verb {
            "do" => said = self.command(rest)?.into(),
            "to" => {
                let seconds: f64 = rest.parse().map_err(|_| "a time in seconds is expected")?;
                let time =
                    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
                self.advance(time);
            }
            "step" => said = self.step().into(),
            "back" => said = self.back().into(),
            "select" => self.select(rest.parse().ok()),
            "compare" if self.kind == "swarm" => said = swarm::compare(&self.options)?,
            "view" => {}
            _ => return Err(format!("there is no request {verb:?}")),
        }
        Ok(self.view().with("said", said))
    }

    /// Returns the trace as text, a line for each message: the same for the same setup and commands everywhere.
    #[must_use]
    pub fn trace(&self) -> String {
        let lines = self.world.post().lines().iter();
        let line = |line: &crate::post::Line| {
            let lost = if line.lost { " lost" } else { "" };
            let micros = line.sent.as_micros();
            format!("{micros} {} {} {}{lost}\n", line.from, line.to, line.text)
        };
        lines.map(line).collect()
    }
}
