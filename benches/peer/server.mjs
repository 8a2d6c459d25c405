// PostGraphile 5 over the clinic's tables, as the role and for the organisation that the environment names.
import cluster from "node:cluster";
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const processes = Number(process.env.PEER_PROCESSES);
const settings = { "app.org_id": process.env.PEER_ORGANISATION, "app.opened": "all" };

const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [
    makePgService({
      connectionString: process.env.PEER_DATABASE_URL,
      schemas: ["public"],
      poolConfig: { max: Number(process.env.PEER_POOL) },
      pgSettings: () => settings,
    }),
  ],
  grafserv: { graphqlPath: "/graphql", graphiql: false, websockets: false },
  grafast: { explain: false },
};

function lead() {
  let ready = 0;
  cluster.on("listening", (_, address) => {
    ready += 1;
    if (ready === processes) console.log(`http://127.0.0.1:${address.port}/graphql`);
  });
  cluster.on("exit", () => process.exit(1));
  for (let started = 0; started < processes; started++) cluster.fork();
}

async function serve() {
  const server = createServer();
  await postgraphile(preset).createServ(grafserv).addTo(server);
  // Port 0 is the same free port in every process of the cluster.
  server.listen(0, "127.0.0.1");
}

if (cluster.isPrimary) lead();
else await serve();
