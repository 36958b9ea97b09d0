// Draws the world on a canvas. Light is added to light: everything that glows is one
// soft round picture, drawn in the colour of what glows.

import { drawRabbit } from "./rabbit.js";

const MARGIN = 90; // how much is seen of what lies outside of the world
const MARGIN_ABOVE = 190; // there the player's numbers are
const MOST_SPARKS = 500;
const STARS = Array.from({ length: 160 }, () => [Math.random(), Math.random(), 0.2 + Math.random() * 0.6]);

export class Painter {
  #canvas;
  #pen;
  #glows = new Map();
  #backdrop = document.createElement("canvas");
  #nightOf = "";
  #sparks = [];
  #camera = { x: 0, y: 0, zoom: 1, shake: 0 };

  constructor(canvas) {
    this.#canvas = canvas;
    this.#pen = canvas.getContext("2d", { alpha: false });
    const fit = () => {
      this.ratio = Math.min(devicePixelRatio || 1, 2);
      [canvas.width, canvas.height] = [innerWidth * this.ratio, innerHeight * this.ratio];
    };
    addEventListener("resize", fit);
    fit();
  }

  /** Sparks that fly apart, such as those of a hit. */
  burst(x, y, colour, count, speed, seconds = 0.5) {
    for (let i = 0; i < count && this.#sparks.length < MOST_SPARKS; i += 1) {
      const [angle, push] = [Math.random() * 2 * Math.PI, speed * (0.3 + Math.random())];
      this.#spark(x, y, Math.cos(angle) * push, Math.sin(angle) * push, colour, seconds, 7);
    }
  }

  shake(strength) {
    this.#camera.shake = Math.max(this.#camera.shake, strength);
  }

  /** Where something of the world is on the screen, in CSS pixels. */
  toScreen({ x, y }) {
    const { zoom } = this.#camera;
    return { x: (x - this.#camera.x) * zoom + innerWidth / 2, y: (y - this.#camera.y) * zoom + innerHeight / 2 };
  }

  /** Draws the world as it is now, `dt` seconds after the last time. */
  draw(world, { me, leader, thumb, dt, time }) {
    const { rules } = world;
    const rabbits = world.rabbits();
    this.#follow(rabbits.find(({ name }) => name === me), rules, dt);
    const pen = this.#pen;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(this.#night(rules.background), 0, 0);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.#stars();
    const { x, y, zoom, shake } = this.#camera;
    pen.translate(innerWidth / 2 + (Math.random() - 0.5) * shake, innerHeight / 2 + (Math.random() - 0.5) * shake);
    pen.scale(zoom, zoom);
    pen.translate(-x, -y);
    this.#ground(rules.world);
    for (const [number, carrotX, carrotY] of world.carrots()) this.#carrot(number, carrotX, carrotY, rules, time);
    for (const rabbit of rabbits) if (rabbit.lives > 0) this.#flame(rabbit, rules.size);
    this.#moveSparks(dt);
    for (const shot of world.shots()) this.#shot(shot, rabbits.find(({ name }) => name === shot.by)?.colour ?? "#fff");
    for (const rabbit of rabbits) if (rabbit.lives > 0) this.#rabbit(rabbit, rabbit.name === me, rabbit.name === leader, rules, time);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    if (me) this.#map(world, rabbits, me);
    if (thumb) this.#thumb(thumb);
    return rabbits;
  }

  #follow(rabbit, { world: [width, height] }, dt) {
    const camera = this.#camera;
    camera.zoom = Math.min(Math.max(Math.sqrt(innerWidth * innerHeight) / 1050, 0.5), 1.5);
    const [halfWidth, halfHeight] = [innerWidth / camera.zoom / 2, innerHeight / camera.zoom / 2];
    const inside = (place, half, end, before) =>
      half * 2 > before + end + MARGIN ? end / 2 : Math.min(Math.max(place, half - before), end + MARGIN - half);
    const x = inside(rabbit?.x ?? width / 2, halfWidth, width, MARGIN);
    const y = inside(rabbit?.y ?? height / 2, halfHeight, height, innerWidth < 600 ? MARGIN_ABOVE / camera.zoom : MARGIN);
    const isFar = Math.hypot(x - camera.x, y - camera.y) > 1200;
    const part = isFar ? 1 : 1 - Math.exp(-9 * dt);
    camera.x += (x - camera.x) * part;
    camera.y += (y - camera.y) * part;
    camera.shake *= Math.exp(-9 * dt);
  }

  #stars() {
    const [pen, { x, y }] = [this.#pen, this.#camera];
    pen.fillStyle = "#cdd6ff";
    for (const [across, down, depth] of STARS) {
      const place = (part, room, moved) => (((part * room - moved * depth * 0.35) % room) + room) % room;
      pen.globalAlpha = depth * 0.7;
      pen.fillRect(place(across, innerWidth, x), place(down, innerHeight, y), depth * 2.4, depth * 2.4);
    }
    pen.globalAlpha = 1;
  }

  /** The colour of the night and two clouds in it, painted once. */
  #night(colour) {
    const { width, height } = this.#canvas;
    const key = `${colour} ${width} ${height}`;
    if (this.#nightOf !== key) {
      this.#nightOf = key;
      [this.#backdrop.width, this.#backdrop.height] = [width, height];
      const pen = this.#backdrop.getContext("2d", { alpha: false });
      pen.fillStyle = colour;
      pen.fillRect(0, 0, width, height);
      pen.globalCompositeOperation = "lighter";
      for (const [x, y, part, light, strength] of [[0.15, 0.95, 0.8, "#27306e", 0.7], [1, 0.25, 0.7, "#5a1f48", 0.6]]) {
        const radius = Math.max(width, height) * part;
        pen.globalAlpha = strength;
        pen.drawImage(this.#glowOf(light), x * width - radius, y * height - radius, radius * 2, radius * 2);
      }
    }
    return this.#backdrop;
  }

  #ground([width, height]) {
    const pen = this.#pen;
    pen.beginPath();
    for (let x = 100; x < width; x += 100) pen.moveTo(x, 0), pen.lineTo(x, height);
    for (let y = 100; y < height; y += 100) pen.moveTo(0, y), pen.lineTo(width, y);
    pen.strokeStyle = "rgb(255 255 255 / 4%)";
    pen.lineWidth = 1;
    pen.stroke();
    for (const [line, strength] of [[16, "7%"], [7, "14%"], [2, "75%"]]) {
      pen.lineWidth = line;
      pen.strokeStyle = `rgb(122 146 255 / ${strength})`;
      pen.strokeRect(0, 0, width, height);
    }
  }

  #carrot(number, x, y, { carrot, size }, time) {
    const pen = this.#pen;
    const [length, lean] = [size * 0.62, Math.sin(time * 2 + number) * 0.3 + number];
    this.#glow(x, y, size * (1.7 + 0.25 * Math.sin(time * 3 + number * 2)), carrot, 0.5);
    pen.save();
    pen.translate(x, y);
    pen.rotate(lean);
    pen.fillStyle = "#63d471";
    for (const side of [-0.55, 0, 0.55]) {
      pen.beginPath();
      pen.ellipse(-length * 1.05, side * length * 0.45, length * 0.5, length * 0.17, side, 0, 7);
      pen.fill();
    }
    pen.fillStyle = carrot;
    pen.beginPath();
    pen.moveTo(length * 1.15, 0);
    pen.quadraticCurveTo(-length * 0.2, length * 0.75, -length * 0.8, length * 0.42);
    pen.quadraticCurveTo(-length * 1.05, 0, -length * 0.8, -length * 0.42);
    pen.quadraticCurveTo(-length * 0.2, -length * 0.75, length * 1.15, 0);
    pen.fill();
    pen.restore();
  }

  #flame({ x, y, vx, vy, angle, push, colour }, size) {
    if (push < 0.1) return;
    const [backX, backY] = [x - Math.cos(angle) * size * 1.05, y - Math.sin(angle) * size * 1.05];
    this.#glow(backX, backY, size * (0.9 + Math.random() * 0.5) * (0.6 + push), colour, 0.8);
    if (this.#sparks.length >= MOST_SPARKS || Math.random() > 0.75) return;
    const [way, speed] = [angle + Math.PI + (Math.random() - 0.5) * 0.5, 190 * push + Math.random() * 60];
    this.#spark(backX, backY, Math.cos(way) * speed, Math.sin(way) * speed, colour, 0.45, size * 0.55);
  }

  #shot({ x, y, angle }, colour) {
    const pen = this.#pen;
    this.#glow(x, y, 22, colour, 0.9);
    pen.strokeStyle = "#fff";
    pen.lineCap = "round";
    pen.lineWidth = 4;
    pen.beginPath();
    pen.moveTo(x - Math.cos(angle) * 16, y - Math.sin(angle) * 16);
    pen.lineTo(x, y);
    pen.stroke();
  }

  #rabbit(rabbit, isMine, isLeader, { size, lives }, time) {
    const { x, y, name, colour, carrots } = rabbit;
    const pen = this.#pen;
    this.#glow(x, y, size * 2.7, colour, isMine ? 0.5 : 0.3);
    drawRabbit(pen, rabbit, size, time);
    const hurt = rabbit.lives < lives;
    if (isMine || hurt) {
      // A ring with a piece for each life.
      pen.lineWidth = 3;
      for (let life = 0; life < lives; life += 1) {
        const from = -Math.PI / 2 + (life / lives) * 2 * Math.PI;
        pen.strokeStyle = life < rabbit.lives ? colour : "rgb(255 255 255 / 12%)";
        pen.beginPath();
        pen.arc(x, y, size * 2.1, from + 0.12, from + (2 * Math.PI) / lives - 0.12);
        pen.stroke();
      }
    }
    const text = Math.max(13 / this.#camera.zoom, 12);
    pen.font = `600 ${text}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.fillStyle = isMine ? "#fff" : "rgb(222 228 255 / 75%)";
    pen.fillText(`${isLeader && carrots > 0 ? "♛ " : ""}${name}`, x, y - size * 2.1 - text * 0.6);
  }

  #map(world, rabbits, me) {
    const [width, height] = world.rules.world;
    const mapWidth = innerWidth < 600 ? 96 : 168;
    const scale = mapWidth / width;
    const pen = this.#pen;
    pen.save();
    pen.translate(innerWidth - mapWidth - 14, 14);
    pen.fillStyle = "rgb(18 22 40 / 62%)";
    pen.strokeStyle = "rgb(255 255 255 / 10%)";
    pen.lineWidth = 1;
    pen.beginPath();
    pen.roundRect(0, 0, mapWidth, height * scale, 8);
    pen.fill();
    pen.stroke();
    const dot = (x, y, radius, colour) => {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.arc(x * scale, y * scale, radius, 0, 7);
      pen.fill();
    };
    pen.globalAlpha = 0.55;
    for (const [, x, y] of world.carrots()) dot(x, y, 1, world.rules.carrot);
    pen.globalAlpha = 1;
    for (const { name, x, y, colour, lives } of rabbits) if (lives > 0) dot(x, y, name === me ? 4 : 2.6, name === me ? "#fff" : colour);
    pen.restore();
  }

  #thumb({ fromX, fromY, x, y }) {
    const pen = this.#pen;
    const reach = Math.min(Math.hypot(x - fromX, y - fromY), 56);
    const angle = Math.atan2(y - fromY, x - fromX);
    pen.lineWidth = 2;
    pen.strokeStyle = "rgb(255 255 255 / 25%)";
    pen.fillStyle = "rgb(255 255 255 / 30%)";
    pen.beginPath();
    pen.arc(fromX, fromY, 56, 0, 7);
    pen.stroke();
    pen.beginPath();
    pen.arc(fromX + Math.cos(angle) * reach, fromY + Math.sin(angle) * reach, 24, 0, 7);
    pen.fill();
  }

  #spark(x, y, vx, vy, colour, seconds, size) {
    this.#sparks.push({ x, y, vx, vy, colour, left: seconds, seconds, size });
  }

  #moveSparks(dt) {
    for (const spark of this.#sparks) {
      spark.left -= dt;
      spark.x += spark.vx * dt;
      spark.y += spark.vy * dt;
      const life = spark.left / spark.seconds;
      if (life > 0) this.#glow(spark.x, spark.y, spark.size * (0.5 + life), spark.colour, life);
    }
    this.#sparks = this.#sparks.filter(({ left }) => left > 0);
  }

  #glow(x, y, radius, colour, strength) {
    const pen = this.#pen;
    pen.globalCompositeOperation = "lighter";
    pen.globalAlpha = strength;
    pen.drawImage(this.#glowOf(colour), x - radius, y - radius, radius * 2, radius * 2);
    pen.globalAlpha = 1;
    pen.globalCompositeOperation = "source-over";
  }

  #glowOf(colour) {
    let glow = this.#glows.get(colour);
    if (glow) return glow;
    glow = document.createElement("canvas");
    glow.width = glow.height = 64;
    const pen = glow.getContext("2d");
    const light = pen.createRadialGradient(32, 32, 0, 32, 32, 32);
    light.addColorStop(0, colour);
    light.addColorStop(0.35, `color-mix(in srgb, ${colour} 35%, transparent)`);
    light.addColorStop(1, "transparent");
    pen.fillStyle = light;
    pen.fillRect(0, 0, 64, 64);
    this.#glows.set(colour, glow);
    return glow;
  }
}
