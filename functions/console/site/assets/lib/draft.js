// What was typed survives a session that ended: on this device, for 15 minutes, never a secret.
const MINUTES = 15;
const key = () => `losi-draft:${location.pathname}${location.search}`;

export function keepDraft(user, fields) {
  try {
    sessionStorage.setItem(key(), JSON.stringify({ user, fields, at: Date.now() }));
  } catch { /* storage is off: nothing is kept */ }
}

export function takeDraft(user) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(key()));
    sessionStorage.removeItem(key());
    return kept && kept.user === user && Date.now() - kept.at < MINUTES * 60_000 ? kept.fields : null;
  } catch {
    return null;
  }
}
