// The worker that makes shares. It ends, keys and all, when the sharing is over or its view is taken down.

import { serve } from "./queue/port.js";
import { makeSharer } from "./sharing_maker.js";

serve(self, makeSharer());
