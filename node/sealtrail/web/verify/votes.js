/**
 * Votes to let a sealer in or out, as Clique and QBFT count them alike.
 *
 * A vote is `{ voter, subject, admit, sure }`, addresses as hex; `sure` is false for one that an epoch may have dropped.
 * Source: protocol sections 14.3 and 14.4.
 */

export const majorityOf = (count) => Math.floor(count / 2) + 1;

/** Return the members after a change, in ascending order. */
export const changed = (members, { subject, admit }) =>
  admit ? [...members, subject].sort() : members.filter((each) => each !== subject);

/** Return the votes that stay once a change was made. */
export const votesAfter = (votes, { subject, admit }) =>
  votes.filter((vote) => vote.subject !== subject && (admit || vote.voter !== subject));

/**
 * Count a vote.
 *
 * @returns `{ votes, change, possible }`: `change` if there are surely enough for one now, `possible` if there may be.
 */
export function cast(votes, members, vote) {
  const others = votes.filter((each) => each.voter !== vote.voter || each.subject !== vote.subject);
  const matters = vote.admit !== members.includes(vote.subject);
  const noted = matters ? [...others, vote] : others;
  const onSubject = noted.filter((each) => each.subject === vote.subject);
  const needed = majorityOf(members.length);
  const change = onSubject.length ? { subject: vote.subject, admit: onSubject[0].admit } : null;
  if (onSubject.filter((each) => each.sure).length >= needed) return { votes: noted, change, possible: null };
  return { votes: noted, change: null, possible: onSubject.length >= needed ? change : null };
}
