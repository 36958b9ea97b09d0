//! A member made of the generated gRPC clients.

use protocol::{
    token,
    v1::{
        Batch, Held, Hello, JoinRequest, JoinResponse, Role, Snapshot, Welcome,
        join_request::Request, join_response::Response, link_client::LinkClient,
        registry_client::RegistryClient,
    },
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, metadata::MetadataValue, transport::Channel};

/// A member that is nothing but the generated clients.
pub(crate) struct Stock {
    channel: Channel,
    hello: Hello,
    pub(crate) epoch: u32,
    pub(crate) id: u64,
    pub(crate) token: Vec<u8>,
    pub(crate) identity: u64,
    pub(crate) requests: mpsc::Sender<JoinRequest>,
    pub(crate) responses: Streaming<JoinResponse>,
}

impl Stock {
    pub(crate) async fn join(master: &broker_master::Master, name: &str) -> Stock {
        Stock::join_as(master, name, Role::Service).await
    }

    pub(crate) async fn join_as(master: &broker_master::Master, name: &str, role: Role) -> Stock {
        let hello = Hello {
            name: name.into(),
            role: role.into(),
            incarnation: 1,
            ..Hello::default()
        };
        Stock::say(master, hello).await.unwrap()
    }

    /// The same process once more, with what it holds.
    pub(crate) async fn rejoin(&self, master: &broker_master::Master) -> Result<Stock, Status> {
        let held = Held {
            node_id: self.id,
            epoch: self.epoch,
            revision: 0,
            token: self.token.clone().into(),
        };
        let hello = Hello {
            held: Some(held),
            ..self.hello.clone()
        };
        Stock::say(master, hello).await
    }

    async fn say(master: &broker_master::Master, hello: Hello) -> Result<Stock, Status> {
        let channel = Channel::from_shared(format!("http://{}", master.address()))
            .unwrap()
            .connect()
            .await
            .unwrap();
        let (requests, requests_rx) = mpsc::channel(8);
        send(&requests, Request::Hello(hello.clone())).await;
        let mut responses = RegistryClient::new(channel.clone())
            .join(ReceiverStream::new(requests_rx))
            .await?
            .into_inner();
        let welcome: Welcome = match responses.message().await?.unwrap().response {
            Some(Response::Welcome(welcome)) => welcome,
            other => panic!("no welcome but {other:?}"),
        };
        Ok(Stock {
            channel,
            hello,
            epoch: welcome.epoch,
            id: welcome.node_id,
            token: welcome.token.to_vec(),
            identity: welcome.identity,
            requests,
            responses,
        })
    }

    pub(crate) async fn snapshot(&mut self) -> Snapshot {
        match self.next().await {
            Response::Snapshot(snapshot) => snapshot,
            other => panic!("no snapshot but {other:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> Response {
        let response = self.responses.message().await.unwrap().unwrap();
        response.response.unwrap()
    }

    pub(crate) async fn open(
        &self,
        token: &[u8],
    ) -> Result<(mpsc::Sender<Batch>, Streaming<Batch>), Status> {
        let (batches, batches_rx) = mpsc::channel(8);
        let mut request = tonic::Request::new(ReceiverStream::new(batches_rx));
        request
            .metadata_mut()
            .insert_bin(token::METADATA, MetadataValue::from_bytes(token));
        let incoming = LinkClient::new(self.channel.clone())
            .open(request)
            .await?
            .into_inner();
        Ok((batches, incoming))
    }
}

pub(crate) async fn send(requests: &mpsc::Sender<JoinRequest>, request: Request) {
    let request = JoinRequest {
        request: Some(request),
    };
    requests.send(request).await.unwrap();
}
