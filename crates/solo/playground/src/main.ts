// Puts the page together.
import { websocketPort } from "./api";
import { ChatPane } from "./chatpane";
import { ScriptPane } from "./scriptpane";
import { Switch } from "./switch";
import { takeToken } from "./token";

const sides = new Switch();

const script = new ScriptPane({ sayReload: () => (chat.online ? sayReload : null) });

const chat: ChatPane = new ChatPane(
  { connectionChanged: () => script.connectionChanged(), heard: () => sides.heard() },
  async () => `ws://${location.hostname}:${await websocketPort()}/`,
);

function sayReload(): void {
  chat.say("reload");
  sides.show("chat");
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s") {
    event.preventDefault();
    void script.save();
  }
});

// The printed address, opened where the page already is, changes the fragment only.
addEventListener("hashchange", () => void script.open(takeToken()));
void script.open(takeToken());
