// What the tests share: the address of the running gateway, and reading a stream to its end.

export const url = process.env.GATEWAY_URL;
export const socketUrl = url.replace(/^http/, 'ws');

/** All values of something with `subscribe({ next, error, complete })`. */
export function collected(subscribe) {
  return new Promise((resolve, reject) => {
    const values = [];
    subscribe({
      next: (value) => values.push(value),
      error: reject,
      complete: () => resolve(values),
    });
  });
}
