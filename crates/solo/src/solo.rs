//! A group in one process. The slaves of its topology are left out: nodes of one
//! process are linked by memory, and a slave would put a socket between them.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use broker_master::{Master, MasterConfig};
use daemon::{BindError, HttpServer, ListenSite, Readiness, bind, http};
use ffrpc::Uplink;
use gate::{Gate, GateConfig, Listeners};
use protocol::{
    NodeName, VitalsSource,
    tls::{PublicTls, TlsError},
};
use scene_host::{Scene, SceneConfig, SceneError};
use tokio::net::TcpListener;
use topology::Topology;
use tracing::info;

/// The parts of a group, all of them in this process.
pub struct Solo {
    master: Master,
    scene: Option<Scene>,
    gates: Vec<Gate>,
    pages: Vec<HttpServer>,
    grace: Duration,
}

/// Why a group cannot run in one process. The operator has to change the
/// topology, or to run it another way.
#[derive(Debug, thiserror::Error)]
pub enum SoloError {
    /// More than one scene.
    #[error(
        "{first} and {second} cannot run in one process, where there is one Python: \
         run `redrabbit up {file}`, which starts a process for each"
    )]
    TwoScenes {
        /// The scene that could run.
        first: NodeName,
        /// One too many.
        second: NodeName,
        /// The topology.
        file: String,
    },
    /// A socket does not open.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A gate's certificate is of no use.
    #[error("the certificate of {gate}")]
    Certificate {
        /// Whose.
        gate: NodeName,
        /// What is wrong with it.
        source: Box<TlsError>,
    },
    /// The master does not start.
    #[error("the master does not start")]
    Master(#[source] io::Error),
    /// Python does not start.
    #[error(transparent)]
    Scene(#[from] SceneError),
}

/// How long the scene may take to end its tasks.
const SCENE_GRACE: Duration = Duration::from_secs(3);

impl Solo {
    /// Starts every role of `topology`, which came from `file`, and waits until
    /// all of them are in the group.
    ///
    /// # Errors
    /// [`SoloError`]; nothing is left running.
    pub async fn start(topology: &Topology, file: &Path) -> Result<Solo, SoloError> {
        let mut scenes = topology.scenes.iter();
        let scene = scenes.next();
        if let (Some((first, _)), Some((second, _))) = (scene, scenes.next()) {
            return Err(SoloError::TwoScenes {
                first: first.clone(),
                second: second.clone(),
                file: file.display().to_string(),
            });
        }
        if let Some(slaves) = names(topology.slaves.keys()) {
            info!(
                slaves,
                "slaves are left out: within one process nodes need none"
            );
        }
        // Every socket opens before anything starts: one that cannot leaves
        // nothing half done.
        let sockets = Sockets::open(topology, file)?;
        let build = daemon::build_version();
        let master = MasterConfig {
            tls: None,
            name: topology.master.name.clone(),
            group: topology.group.clone(),
            secret: topology.security.secret.clone(),
            lease: topology.limits.lease,
            outbox_bytes: topology.limits.link_outbox_bytes,
            build: build.to_owned(),
            epoch_file: None,
            exports: (&topology.exports).into(),
        };
        let master = Master::start(master, sockets.master).map_err(SoloError::Master)?;
        // What the process takes is said once, by the master.
        master.set_vitals(daemon::vitals());
        info!(address = %master.address(), "listening for nodes");
        let mut solo = Solo {
            pages: sockets.pages,
            scene: None,
            gates: Vec::new(),
            grace: topology.limits.drain_grace,
            master,
        };
        if let Some((name, scene)) = scene {
            let config = scene_config(topology, name, scene);
            let uplink = Uplink::Local(solo.master.local());
            let secret = topology.security.secret.clone();
            match Scene::start(config, uplink, secret).await {
                Ok(scene) => {
                    scene.set_vitals(VitalsSource::default());
                    solo.scene.insert(scene).node().ready().await;
                }
                Err(error) => {
                    solo.master.shutdown().await;
                    return Err(error.into());
                }
            }
        }
        for (name, listeners) in sockets.gates {
            let Some(config) = GateConfig::of(topology, &name) else {
                continue;
            };
            let gate = Gate::start(
                config,
                listeners,
                Uplink::Local(solo.master.local()),
                topology.security.secret.clone(),
                build.to_owned(),
            );
            gate.set_vitals(VitalsSource::default());
            gate.ready().await;
            solo.gates.push(gate);
        }
        for readiness in &sockets.readiness {
            readiness.set_ready();
        }
        Ok(solo)
    }

    /// Goes by what of `topology` takes effect in a group that runs.
    pub fn reconfigure(&self, topology: &Topology) {
        self.master.set_exports((&topology.exports).into());
        self.master.set_secret(topology.security.secret.clone());
        if let Some(scene) = &self.scene {
            let mut scenes = topology.scenes.iter();
            if let Some((name, place)) = scenes.find(|(name, _)| *name == scene.node().name()) {
                scene.reconfigure(&scene_config(topology, name, place));
            }
        }
        for gate in &self.gates {
            if let Some(config) = GateConfig::of(topology, gate.name()) {
                gate.reconfigure(&config);
            }
        }
    }

    /// Where the master listens.
    pub fn master_address(&self) -> SocketAddr {
        self.master.address()
    }

    /// The gates.
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// The scene, if the topology has one.
    pub fn scene(&self) -> Option<&Scene> {
        self.scene.as_ref()
    }

    /// Ends the roles in order: gates, which let their clients go, the scene,
    /// the master.
    pub async fn shutdown(self, forced: impl Future<Output = ()> + Clone) {
        for gate in self.gates {
            gate.drain(self.grace, forced.clone()).await;
        }
        if let Some(scene) = self.scene {
            scene.stop(SCENE_GRACE).await;
        }
        self.master.shutdown().await;
        drop(self.pages);
    }
}

fn scene_config(topology: &Topology, name: &NodeName, place: &topology::Scene) -> SceneConfig {
    SceneConfig {
        name: name.clone(),
        group: topology.group.clone(),
        script: place.script.clone(),
        python_path: place.python_path.clone(),
        venv: place.venv.clone(),
        watch: place.watch,
        state_dir: Some(place.state_dir.clone()),
        gates: topology.gates.keys().cloned().collect(),
        limits: topology.limits.clone(),
    }
}

/// What a gate shows clients, if it speaks TLS.
fn certificate(name: &NodeName, gate: &topology::Gate) -> Result<Option<PublicTls>, SoloError> {
    let loaded = gate.certificate.clone().map(PublicTls::load).transpose();
    loaded.map_err(|source| SoloError::Certificate {
        gate: name.clone(),
        source: Box::new(source),
    })
}

/// "slave@0, slave@1"; nothing where there is none.
fn names<'a>(names: impl Iterator<Item = &'a NodeName>) -> Option<String> {
    let names: Vec<&str> = names.map(NodeName::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Every socket of a group, open.
struct Sockets {
    master: TcpListener,
    gates: Vec<(NodeName, Listeners)>,
    pages: Vec<HttpServer>,
    readiness: Vec<Readiness>,
}

impl Sockets {
    fn open(topology: &Topology, file: &Path) -> Result<Sockets, SoloError> {
        let mut pages = Vec::new();
        let mut readiness = Vec::new();
        let mut serve_pages = |name: &NodeName,
                               section: String,
                               address: Option<SocketAddr>|
         -> Result<(), BindError> {
            let Some(address) = address else {
                return Ok(());
            };
            let site = ListenSite::new(name, format!("{section}.http"), file);
            let ready = Readiness::starting();
            pages.push(http::serve(address, &site, ready.clone())?);
            readiness.push(ready);
            Ok(())
        };
        let master = &topology.master;
        let site = ListenSite::new(&master.name, "master.listen", file);
        let listener = bind(master.listen, &site)?;
        serve_pages(&master.name, "master".into(), master.http)?;
        for (name, scene) in &topology.scenes {
            serve_pages(name, format!("scenes.{name}"), scene.http)?;
        }
        let mut gates = Vec::new();
        for (name, gate) in &topology.gates {
            let open = |field: &str, address: Option<SocketAddr>| {
                let site = ListenSite::new(name, format!("gates.{name}.{field}"), file);
                address.map(|address| bind(address, &site)).transpose()
            };
            let listeners = Listeners {
                tcp: open("tcp", gate.tcp)?,
                websocket: open("websocket", gate.websocket)?,
                tls: certificate(name, gate)?,
            };
            gates.push((name.clone(), listeners));
            serve_pages(name, format!("gates.{name}"), gate.http)?;
        }
        Ok(Sockets {
            master: listener,
            gates,
            pages,
            readiness,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_that_are_left_out_are_named() {
        let slaves: Vec<NodeName> = ["slave@0", "slave@1"]
            .map(|name| name.parse().unwrap())
            .into();
        assert_eq!(names(slaves.iter()).as_deref(), Some("slave@0, slave@1"));
        assert_eq!(names([].iter()), None);
    }
}
