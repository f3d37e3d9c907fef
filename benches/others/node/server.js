// The same job as src/bin/bare.rs in Node, as anybody would write it who knows what is fast there: fastify and undici.
// node server.js PORT VENDOR KEY
import Fastify from 'fastify';
import { Agent, request } from 'undici';

const [port, vendor, key] = process.argv.slice(2);
const dispatcher = new Agent({ connections: 1024, pipelining: 1 });
const headers = { 'content-type': 'application/json', 'x-api-key': key, 'x-merchant-id': 'm-1' };
const url = `${vendor}/customers/add-update`;

const schema = {
  body: {
    type: 'object',
    required: ['reference', 'given_name'],
    properties: {
      reference: { type: 'string' },
      given_name: { type: 'string' },
      family_name: { type: 'string' },
      email: { type: 'string' },
      phone: { type: 'string' },
      status: { type: 'string' },
    },
  },
};

const app = Fastify();

app.get('/livez', async () => ({ ok: true }));

app.post('/v1/customers', { schema }, async (req, reply) => {
  const customer = req.body;
  const body = JSON.stringify({
    externalId: customer.reference,
    firstName: customer.given_name,
    lastName: customer.family_name,
    email: customer.email,
    phoneNumber: customer.phone,
    active: customer.status !== 'inactive',
  });
  const answer = await request(url, { method: 'POST', headers, body, dispatcher });
  const record = await answer.body.json();
  if (answer.statusCode >= 300) return reply.code(502).send({ detail: `the vendor answered ${answer.statusCode}` });
  return { customer: { reference: customer.reference }, state: 'succeeded', record };
});

await app.listen({ host: '127.0.0.1', port: Number(port) });
