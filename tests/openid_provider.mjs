// A real OpenID Connect provider (npm oidc-provider) whose login takes no password. It prints its
// port; POST /rotate gives it new keys.
import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { Provider } from "oidc-provider";

const redirectUri = process.argv[2];
const key = () => ({
  ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }),
  kid: randomUUID(), use: "sig", alg: "RS256",
});
let keys = [key()];
let handle;

function start(issuer) {
  const provider = new Provider(issuer, {
    clients: [{ client_id: "losi", token_endpoint_auth_method: "none", redirect_uris: [redirectUri], grant_types: ["authorization_code"], response_types: ["code"] }],
    pkce: { required: () => true },
    jwks: { keys },
    cookies: { keys: ["test"] },
    features: { devInteractions: { enabled: false } },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id.split("!")[0]}@example.com`, email_verified: !id.endsWith("!unverified"), name: id }),
    }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  });
  // the login page: whoever `login_hint` names is signed in, and agrees
  const callback = provider.callback();
  handle = async (request, response) => {
    if (!request.url.startsWith("/interaction/")) return callback(request, response);
    const { prompt, params, session } = await provider.interactionDetails(request, response);
    if (prompt.name === "login") {
      return provider.interactionFinished(request, response, { login: { accountId: params.login_hint ?? "ada" } });
    }
    const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope("openid email profile");
    return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  };
}

const server = createServer((request, response) => {
  if (request.url === "/rotate") {
    keys = [key()];
    start(`http://127.0.0.1:${server.address().port}`);
    return response.end("rotated");
  }
  return handle(request, response);
});
server.listen(0, "127.0.0.1", () => {
  start(`http://127.0.0.1:${server.address().port}`);
  console.log(server.address().port);
});
