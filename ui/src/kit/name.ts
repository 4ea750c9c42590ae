/** What the server takes as a name. */
export const NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/;
