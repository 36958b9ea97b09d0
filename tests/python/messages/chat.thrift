// What clients of a chat send, in thrift: as much of it as there are kinds of types.
namespace py chat

enum Mood { CALM = 1, ANGRY = 2 }

struct Line {
  1: required string text,
  2: i64 at,
  3: Mood mood = Mood.CALM,
}

struct Say {
  1: required string channel,
  2: list<Line> lines,
  3: map<string, double> scores,
  4: set<i32> marks,
  5: binary blob,
  6: optional Say quoted,
}

// One that cannot be changed: its class reads it.
struct Place {
  1: i32 x,
  2: i32 y,
} (python.immutable = "")
