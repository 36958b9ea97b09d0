// The key to the script. It arrives in the address's fragment, which browsers
// never send anywhere, and leaves the address bar at once.

const KEY = "redrabbit.token";

/** The token of this tab, if it was opened with one. */
export function takeToken(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}
